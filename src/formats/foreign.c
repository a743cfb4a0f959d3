/* What a folder without weights that are read here is told: which file it holds instead, and how to
 * make one that is read. */
#include <fnmatch.h>

#include "formats/format.h"

#define SAVE_PRETRAINED "in Python with the class that config.json names under \"architectures\": "

static const struct {
    const char *pattern, *advice;
} foreign[] = {
    {"pytorch_model*.bin", "rename it to pytorch_model.bin when it holds the whole model, else "
                           "download the missing file"},
    {"tf_model*.h5", "convert it " SAVE_PRETRAINED "from_pretrained(FOLDER, from_tf=True)"
                     ".save_pretrained(FOLDER, safe_serialization=True)"},
    {"flax_model*.msgpack", "convert it " SAVE_PRETRAINED "from_pretrained(FOLDER, from_flax=True)"
                            ".save_pretrained(FOLDER, safe_serialization=True)"},
    {"adapter_model.*", "this is an adapter: merge it into its base model (peft: "
                        "merge_and_unload) and save that"},
    {"*.safetensors", "rename it when it holds the whole model, else download the missing file"},
    {"*.incomplete", "the download did not finish: start it again"},
    {"*.onnx", "ONNX is not read: download the original repository it was made from"},
    {"onnx", "ONNX is not read: download the original repository it was made from"},
    {"*.ckpt*", "checkpoints of TensorFlow 1 are not read: convert it with transformers' scripts"},
};

enum status foreign_refuse(struct arena *scratch, const char *folder, struct error *err) {
    char **names = folder_list(scratch, folder);
    if (names == NULL)
        return ERR(err, NOT_FOUND, "no readable folder %.200s", folder);
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        for (char **name = names; *name != NULL; name++) {
            if (fnmatch(foreign[i].pattern, *name, 0) == 0)
                return ERR(err, MODEL, "the folder holds %.100s but no model.safetensors: %s",
                           *name, foreign[i].advice);
        }
    }
    return ERR(err, NOT_FOUND, "no weights: model.safetensors is missing");
}
