/* What a folder without weights that are read here is told: which file it holds instead, and how to
 * make one that is read. */
#include <fnmatch.h>

#include "formats/format.h"

/* CLASS: the one that config.json names under "architectures". */
#define IN_PYTHON                                                                                  \
    "convert it in Python with transformers, CLASS being config.json's architectures[0]: "
#define SAVE         ".save_pretrained(FOLDER)"
#define FROM_ORIGIN  "is not read: download the original repository it was made from"
#define WHOLE_OR_NOT "when it holds the whole model, else download the missing files"

/* The first row that fits a file of the folder is told. */
static const struct {
    const char *pattern, *advice;
} foreign[] = {
    {"*.incomplete", "the download did not finish: start it again"},
    {"pytorch_model*.bin", "rename it to pytorch_model.bin " WHOLE_OR_NOT},
    {"adapter_model.*", "it is an adapter of peft, whose adapter_config.json is missing: download "
                        "that, too"},
    {"diffusion_pytorch_model*", "it is part of an image pipeline, which has no text model"},
    {"consolidated*", "it is in its maker's own layout: download the files in transformers' layout "
                      "(config.json, model.safetensors), or convert it with transformers' "
                      "convert_*_weights_to_hf.py"},
    {"*.safetensors", "rename it to model.safetensors " WHOLE_OR_NOT},
    {"tf_model*.h5", IN_PYTHON "CLASS.from_pretrained(FOLDER, from_tf=True)" SAVE},
    {"flax_model*.msgpack", IN_PYTHON "CLASS.from_pretrained(FOLDER, from_flax=True)" SAVE},
    {"rust_model.ot", "the format of Rust's tch " FROM_ORIGIN},
    {"*.nemo", "NeMo's archive is not read: convert it with NeMo's scripts/checkpoint_converters"},
    {"openvino_model*", "OpenVINO " FROM_ORIGIN},
    {"openvino", "OpenVINO " FROM_ORIGIN},
    {"*.onnx", "ONNX " FROM_ORIGIN},
    {"onnx", "ONNX " FROM_ORIGIN},
    {"*.mlpackage", "Core ML " FROM_ORIGIN},
    {"*.mlmodel", "Core ML " FROM_ORIGIN},
    {"coreml", "Core ML " FROM_ORIGIN},
    {"*.tflite", "TensorFlow Lite " FROM_ORIGIN},
    {"saved_model.pb", "TensorFlow's SavedModel " FROM_ORIGIN},
    {"*.ckpt*", "a checkpoint of TensorFlow 1 or Lightning is not read: convert it with "
                "transformers' convert_*_to_pytorch.py"},
    {"*.npz", "NumPy's and MLX' format " FROM_ORIGIN},
    {"ggml-*.bin", "the format before GGUF is not read: convert it to GGUF with the "
                   "program that wrote it"},
    {"*.h5",
     "Keras' format is not read: " IN_PYTHON "CLASS.from_pretrained(FOLDER, from_tf=True)" SAVE},
    {"*.msgpack",
     "Flax' format is not read: " IN_PYTHON "CLASS.from_pretrained(FOLDER, from_flax=True)" SAVE},
    {"*.pth", "rename it to pytorch_model.bin when it is the state_dict of the whole model"},
    {"*.pt", "rename it to pytorch_model.bin when it is the state_dict of the whole model"},
    {"*pytorch_model.bin", "rename it to pytorch_model.bin " WHOLE_OR_NOT},
};

/* A name that would have been taken, had it been a file: copies of the hub's cache have such links.
 */
static enum status refuse_dangling(struct arena *scratch, const char *folder, char **names,
                                   struct error *err) {
    static const char *const patterns[] = {"model.safetensors", "pytorch_model.bin", "*.gguf"};
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        for (char **name = names; *name != NULL; name++) {
            if (fnmatch(patterns[i], *name, FNM_PERIOD) == 0 &&
                !file_exists(path_join(scratch, folder, *name)))
                return ERR(err, MODEL,
                           "%.100s is no file but a link that leads nowhere (or a folder, a "
                           "device): download it again, or copy the folder with what its links "
                           "lead to (cp -rL)",
                           *name);
        }
    }
    return STATUS_OK;
}

enum status foreign_refuse(struct arena *scratch, const char *folder, struct error *err) {
    char **names = folder_list(scratch, folder);
    if (names == NULL)
        return ERR(err, NOT_FOUND, "no readable folder %.200s", folder);
    if (refuse_dangling(scratch, folder, names, err) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        for (char **name = names; *name != NULL; name++) {
            if (fnmatch(foreign[i].pattern, *name, 0) == 0)
                return ERR(err, MODEL,
                           "the folder holds %.100s but no model.safetensors, pytorch_model.bin or "
                           "*.gguf: %s",
                           *name, foreign[i].advice);
        }
    }
    return ERR(
        err, NOT_FOUND,
        "no weights: model.safetensors is missing (nor is there pytorch_model.bin or *.gguf)");
}

/* ---- quantized repositories ---- */

#define DEQUANTIZE                                                                                 \
    "CLASS.from_pretrained(FOLDER).dequantize()" SAVE " in Python, CLASS being architectures[0]"

static const struct {
    const char *method, *how; /* of config.json; how to undo it, or NULL */
} quantizations[] = {
    {"bitsandbytes", DEQUANTIZE},
    {"fp8", DEQUANTIZE},
    {"fbgemm_fp8", DEQUANTIZE},
    {"mxfp4", "CLASS.from_pretrained(FOLDER, quantization_config=Mxfp4Config(dequantize=True))" SAVE
              " in Python, CLASS being architectures[0]"},
    {"gptq", NULL},
    {"awq", NULL},
};

enum status foreign_quantized(const struct json *config, struct error *err) {
    const struct json *quantization = json_get(config, "quantization_config");
    if (json_is_null(quantization))
        return STATUS_OK;
    const char *method = json_get_string(quantization, "quant_method", NULL);
    if (method == NULL)
        method = json_get_bool(quantization, "load_in_4bit", false) ||
                         json_get_bool(quantization, "load_in_8bit", false)
                     ? "bitsandbytes"
                     : "unknown";
    const char *how = NULL;
    for (size_t i = 0; i < ARRAY_LEN(quantizations); i++) {
        if (strcmp(quantizations[i].method, method) == 0)
            how = quantizations[i].how;
    }
    const char *origin = json_get_string(config, "_name_or_path", "");
    return ERR(
        err, MODEL,
        "config.json: the weights are quantized (\"quantization_config\", method %.40s), "
        "which is not read: download the original model%s%.100s%s; Brisk quantizes by itself "
        "(--precision)%s%s",
        method, origin[0] != 0 ? " (" : "", origin, origin[0] != 0 ? ")" : "",
        how != NULL ? ", or undo it: " : "", how != NULL ? how : "");
}
