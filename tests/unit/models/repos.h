/* Repositories in a temporary folder, from the text of their config.json, and small configs of
 * every family to begin them with. Weights are tiny.h's business. */
#ifndef BRISK_TESTS_REPOS_H
#define BRISK_TESTS_REPOS_H

#include "unit/engine/tiny.h"

#include "models/models.h"

struct repo {
    char *folder;
    struct repository repository;
};

static inline void repo_open(struct repo *repo, const char *config) {
    struct error err = {0};
    struct arena arena = {0};
    repo->folder = tiny_folder();
    FILE *file = fopen(path_join(&arena, repo->folder, "config.json"), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(config, 1, strlen(config), file), strlen(config));
    assert_int_equal(fclose(file), 0);
    arena_deinit(&arena);
    if (repository_open(&repo->repository, repo->folder, &err) != STATUS_OK)
        fail_msg("%s: %s", config, err.text);
}

static inline void repo_close(struct repo *repo) {
    repository_close(&repo->repository);
    tiny_folder_remove(repo->folder);
}

static inline void repo_describe(struct repo *repo, const char *config, struct arch *arch) {
    struct error err = {0};
    repo_open(repo, config);
    if (models_describe(arch, &repo->repository, &err) != STATUS_OK)
        fail_msg("%s: %s", config, err.text);
}

/* Small configs of every family, without their last brace; odd sizes. */
#define BERT_SIZES                                                                                 \
    "\"vocab_size\":97,\"hidden_size\":40,\"num_hidden_layers\":2,\"num_attention_heads\":4,"      \
    "\"intermediate_size\":72,\"max_position_embeddings\":66"
#define BERT_CONFIG    "{\"model_type\":\"bert\"," BERT_SIZES
#define ROBERTA_CONFIG "{\"model_type\":\"roberta\"," BERT_SIZES
#define DISTILBERT_CONFIG                                                                          \
    "{\"model_type\":\"distilbert\",\"vocab_size\":97,\"dim\":40,\"n_layers\":2,\"n_heads\":5,"    \
    "\"hidden_dim\":72,\"max_position_embeddings\":66"
#define GPT2_CONFIG                                                                                \
    "{\"model_type\":\"gpt2\",\"vocab_size\":97,\"n_embd\":40,\"n_layer\":2,\"n_head\":4,"         \
    "\"n_positions\":66"
#define BART_CONFIG                                                                                \
    "{\"model_type\":\"bart\",\"vocab_size\":97,\"d_model\":40,\"encoder_layers\":2,"              \
    "\"decoder_layers\":3,\"encoder_ffn_dim\":72,\"decoder_ffn_dim\":56,"                          \
    "\"encoder_attention_heads\":4,\"decoder_attention_heads\":5,\"max_position_embeddings\":66"
#define MULTILINGUAL(type)                                                                         \
    "{\"model_type\":\"" type "\",\"vocab_size\":97,\"d_model\":40,\"encoder_layers\":2,"            \
    "\"decoder_layers\":3,\"encoder_ffn_dim\":72,\"decoder_ffn_dim\":56,"                          \
    "\"encoder_attention_heads\":4,\"decoder_attention_heads\":5"
#define CLASS(name) ",\"architectures\":[\"" name "\"]"

#endif
