/* NFC, NFD, NFKC, NFKD with the origin of every character, as the library's own crate does it.
 * Only the forms: lower case and stripping of accents are normalizers of their own. */
#ifndef BRISK_TOKENIZER_NORMAL_FORMS_H
#define BRISK_TOKENIZER_NORMAL_FORMS_H

#include "tokenizer/text.h"

struct normal_form {
    bool compose, compatible;
};

void normal_form(struct text *text, struct arena *scratch, struct normal_form form);

#endif
