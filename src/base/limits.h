/* Every limit of the program: name, value, why. None is written as a number elsewhere.
 *
 * A limit guards against input, not against our own bugs (that is ASSERT's work). Sizes are in
 * bytes unless the name says otherwise. Those marked (setting) have a flag of `brisk serve`. */
#ifndef BRISK_BASE_LIMITS_H
#define BRISK_BASE_LIMITS_H

#define KiB 1024ull
#define MiB (1024ull * KiB)
#define GiB (1024ull * MiB)

/* JSON and text */
#define LIMIT_JSON_DEPTH  64                /* nesting; real bodies stay below 10 */
#define LIMIT_JSON_VALUES (8 * 1024 * 1024) /* in one text: 320 MiB of tree */
#define LIMIT_LOG_LINE    4096              /* one line of the log, cut above */
#define LIMIT_JSON_FILE   (256 * MiB)       /* tokenizer.json of large vocabularies is 30 MB */
#define LIMIT_TEXT        (256 * MiB)       /* one text to tokenize */
#define LIMIT_PATTERN     (64 * KiB)        /* one regular expression of a tokenizer */
#define LIMIT_REWRITTEN   (8 * MiB) /* that a normalization adds to a short text; to others 4x */
#define LIMIT_WINDOWS     65536     /* overflow windows of one text */
#define LIMIT_ERROR_TEXT  512       /* one error message */

/* HTTP */
#define LIMIT_BODY              (32 * MiB)  /* one request body (setting) */
#define LIMIT_INPUTS            1024        /* elements of a list in `inputs` */
#define LIMIT_RESPONSE          (512 * MiB) /* one answer; feature-extraction lists are long */
#define LIMIT_CONNECTIONS       4096        /* open at once (setting) */
#define LIMIT_MODEL_ID          256         /* bytes of `namespace/name` */
#define LIMIT_REQUEST_SECONDS   600         /* a request that waits longer is answered 504 */
#define LIMIT_LOAD_WAIT_SECONDS 30          /* hold for a cold model before 503 (setting) */
#define LIMIT_IDLE_SECONDS      180         /* silence of a client, whose pool may keep for 120 */
#define LIMIT_TASK_NAME         64          /* bytes of a task's name in a path */
#define LIMIT_PATH              1024        /* bytes of a request's path, decoded */
#define LIMIT_REQUEST_ID        128         /* bytes of x-request-id that are echoed */
#define LIMIT_CACHE_BYTES       (64 * MiB)  /* response cache */
#define LIMIT_CACHE_KEY         (256 * KiB) /* a longer question is not cached */
#define LIMIT_QUEUED_BYTES      (1 * GiB)   /* bodies of all requests on their way; above: 503 */
#define LIMIT_HELD_PERCENT      10          /* of memory: parsed bodies and jobs; above: 503 */
#define LIMIT_QUEUED_ITEMS      65536       /* items waiting in all queues; above: 503 */
#define LIMIT_WORKERS           16          /* threads that parse and tokenize */

/* Models */
#define LIMIT_CARD_FRONT_MATTER  (4 * MiB)  /* YAML of README.md; long benchmark lists reach 1 MB */
#define LIMIT_CONFIG_FILE        (16 * MiB) /* config.json and the like, shard indexes */
#define LIMIT_TENSORS            65536      /* in one checkpoint */
#define LIMIT_OWNED_RATIO        8 /* bytes unpacked from a checkpoint's files, per byte of them */
#define LIMIT_OWNED_FREE         (16 * MiB)   /* that may be unpacked whatever the files' size */
#define LIMIT_TENSOR_DIMS        8            /* dimensions of one tensor */
#define LIMIT_SAFETENSORS_HEADER 100000000ull /* as the safetensors library */
#define LIMIT_GGUF_KEYS          4096         /* of one file; real ones have 30 */
#define LIMIT_SHARDS             1024         /* files of one checkpoint */
#define LIMIT_ZIP_ENTRIES        (2 * LIMIT_TENSORS) /* of pytorch_model.bin: one a storage */
#define LIMIT_PICKLE             (64 * MiB)          /* one pickle; 65,536 tensors have 15 MB */
#define LIMIT_PICKLE_VALUES      (8 * 1024 * 1024)   /* values and places in containers of one */
#define LIMIT_PICKLE_STACK       (1024 * 1024)       /* values waiting; picklers put 2000 there */
#define LIMIT_PICKLE_MARKS       1000                /* containers open at once */
#define LIMIT_PICKLE_MEMO        (2 * 1024 * 1024)   /* remembered values; a tensor has about 8 */
#define LIMIT_PICKLE_NAME        256                 /* bytes of a class's module or name */
#define LIMIT_TORCH_OBJECTS      (4 * LIMIT_TENSORS) /* tensors and storages of one file */
#define LIMIT_LAYERS             512                 /* of one stack */
#define LIMIT_HIDDEN_SIZE        65536 /* also intermediate sizes / 8 and vocabulary / 64 */
#define LIMIT_VOCAB_SIZE         (4 * 1024 * 1024)
#define LIMIT_SPECIAL_TOKENS     65536      /* that tekken.json counts; real files have 1000 */
#define LIMIT_SENTENCEPIECE      (64 * MiB) /* a SentencePiece file; the largest known is 5 MB */
#define LIMIT_PIECE              1024       /* bytes of one of its pieces */
#define LIMIT_MERGES             (16 * 1024 * 1024) /* pairs that its pieces are made of */
#define LIMIT_PIECES_BYTES       (16 * MiB)         /* of a unigram vocabulary; 250,000 have 2 MB */
#define LIMIT_PIECE_SCORE        1e290              /* its scores: sums over a text stay finite */
#define LIMIT_ADAPTER_NUMBER     1e9  /* an adapter's rank and alpha; real ones are below 1e4 */
#define LIMIT_EXPERTS            1024 /* of one layer; known models have up to 512 */
#define LIMIT_POSITIONS          (1024 * 1024) /* max_position_embeddings */
#define LIMIT_LABELS             65536         /* classes of one head */
#define LIMIT_PACKED_CACHE_BYTES (20 * GiB)    /* files of the packed cache (setting) */

/* Engine and generation */
#define LIMIT_BATCH_TOKENS 2048 /* tokens of one forward pass */
#define LIMIT_BATCH_SEQS   512  /* sequences of one forward pass */
#define LIMIT_POOL_CHUNK                                                                           \
    (8 * MiB) /* keys and values are taken from the system so much at a time                       \
               */
#define LIMIT_POOL_IDLE        (64 * MiB) /* an idle pool beyond what is kept gives all back */
#define LIMIT_PREFIXES         64         /* texts that a model keeps for what may begin as they do */
#define LIMIT_PREFIX_BYTES     (128 * MiB) /* of these; a quarter of the model's pages, if less */
#define LIMIT_PREFIX_TOKENS    16 /* in common with one, from which on it is used */
#define LIMIT_THREADS          256        /* compute threads */
#define LIMIT_BEAMS            32         /* num_beams */
#define LIMIT_RETURN_SEQUENCES 32         /* num_return_sequences */
#define LIMIT_STOP_STRINGS     16         /* stop */
#define LIMIT_STOP_BYTES       1024       /* one stop string */
#define LIMIT_STOP_WINDOW      MiB  /* text of the last tokens, where stop strings are looked for */
#define LIMIT_SEQUENCE_BIASES  1024 /* pairs of sequence_bias; each is looked at in every step */
#define LIMIT_TOKEN_LIST       65536 /* ids of one list in generation_config.json */
#define LIMIT_CANDIDATE_LABELS 1024  /* zero-shot */
#define LIMIT_TABLE_CELLS      262144 /* of all tables of a request, with their headers */
#define LIMIT_JOB_FLOATS                                                                           \
    (128 * MiB) /* numbers (4 bytes each) that one request takes from the model */
#define LIMIT_JOB_TEXT                                                                             \
    (64 * MiB)                    /* that one request has tokenized, labels and prompts included   \
                                   */
#define LIMIT_IGNORED_LABELS 1024 /* ignore_labels: each entity is compared with all */
#define LIMIT_JOB_TOKENS     (8 * 1024 * 1024) /* that one request has the model read */
#define LIMIT_JOB_ITEMS      16384 /* runs of the model for one request: a quarter of QUEUED_ITEMS */
#define LIMIT_JOB_CANDIDATES                                                                       \
    262144 /* spans of text that question answering compares in one request */
#define LIMIT_TOP_K_ANSWERS 100000 /* top_k of classification-like tasks */

/* Chat templates */
#define LIMIT_TEMPLATE_SOURCE (256 * KiB) /* one template; real ones are below 40 KB */
#define LIMIT_TEMPLATE_NAME   256         /* bytes of a name in a template */
#define LIMIT_TEMPLATE_NEST   100         /* brackets and blocks inside each other */
#define LIMIT_TEMPLATE_DEPTH  600         /* expressions and statements that wait for each other */
#define LIMIT_TEMPLATE_STEPS  (20 * 1000 * 1000) /* of one rendering: under two seconds */
#define LIMIT_TEMPLATE_MEMORY (256 * MiB)        /* values that one rendering makes */
#define LIMIT_TEMPLATE_OUTPUT (64 * MiB)         /* text that one rendering writes */
#define LIMIT_TEMPLATE_RANGE  100000             /* elements of range(), as the sandbox of jinja2 */
#define LIMIT_CHAT_TEMPLATES  64                 /* named templates of one model */

#endif
