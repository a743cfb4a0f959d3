/* The head: a few products on the wanted rows, ending in the caller's buffers.
 *
 * Rows run in groups, so that the weights are read once for many sequences. Where a group's
 * outputs lie one after the other they are written in place, else scattered from scratch. */
#include "engine/model.h"

#include <string.h>

/* What a head is run on: `n` of the wanted rows, by their numbers, and where their outputs go. */
struct rows {
    const struct head_spec *spec;
    const struct head *head;
    const uint32_t *ids;
    float *const *out;
    uint32_t n;
};

static bool in_one_piece(float *const *out, uint32_t n, size_t outputs) {
    for (uint32_t i = 1; i < n; i++)
        if (out[i] != out[i - 1] + outputs)
            return false;
    return true;
}

static void scatter(struct lane *lane, const float *y, float *const *out, uint32_t n,
                    size_t outputs) {
    size_t from, to;
    lane_range(lane, n, 1, &from, &to);
    for (size_t i = from; i < to; i++)
        memcpy(out[i], y + i * outputs, outputs * sizeof *y);
    lane_barrier(lane); /* the next group overwrites y */
}

/* x [n, hidden] through all steps; the last one's output goes to y. What a step reads is
 * there until the one behind has run: they alternate between two buffers. */
static void run_steps(struct lane *lane, const struct model *model, const struct rows *rows,
                      const float *x, uint32_t n, float *y) {
    const struct head_spec *spec = rows->spec;
    const float *before = NULL; /* what the step before read */
    for (uint32_t i = 0; i < spec->n_steps; i++) {
        const struct linear *linear = &rows->head->linear[i];
        const struct norm *norm = &rows->head->norm[i];
        const struct epilogue epilogue = {.activation = spec->steps[i].activation,
                                          .residual = spec->steps[i].residual ? before : NULL};
        float *out = i + 1 == spec->n_steps ? y : i % 2 ? model->step.head_b : model->step.head_a;
        model->device->linear(lane, model->step.scratch, linear, x, linear->in, out, linear->out, n,
                              &epilogue);
        if (norm->weight)
            model->device->norm(lane, norm, out, out, n);
        before = x;
        x = out;
    }
}

/* The text whose first row of the batch is `row`. */
static const struct attention_seq *text_at(const struct pass *pass, uint32_t row) {
    const struct attention_seq *seqs = pass->model->step.seqs;
    for (uint32_t i = 0; i < pass->n_seqs; i++)
        if (seqs[i].row == row)
            return &seqs[i];
    return NULL;
}

void head_pool(struct lane *lane, const struct pass *pass, float *x) {
    const struct step *step = &pass->model->step;
    const size_t hidden = pass->model->stacks[pass->stack].spec->hidden_size;
    size_t from, to;
    lane_range(lane, hidden, 16, &from, &to);
    for (uint32_t i = 0; i < pass->n_head; i++) {
        const struct attention_seq *text = text_at(pass, step->wanted[step->head_ids[i]]);
        ASSERT(text);
        float *mean = x + text->row * hidden;
        for (size_t j = from; j < to; j++) {
            double sum = 0;
            for (uint32_t r = 0; r < text->rows; r++)
                sum += (double)mean[r * hidden + j];
            mean[j] = (float)(sum / text->rows);
        }
    }
    lane_barrier(lane);
}

static void run_head(struct lane *lane, const struct pass *pass, const struct rows *rows,
                     const float *x, float *t) {
    const struct model *model = pass->model;
    const struct step *step = &model->step;
    const size_t outputs = rows->spec->outputs;
    const size_t hidden = stack_out_size(model->stacks[pass->stack].spec);
    if (rows->n == 0)
        return;
    if (rows->n < pass->n_wanted) {
        model->device->gather(lane, x, hidden, rows->ids, rows->n, (uint32_t)hidden, t, hidden);
        x = t;
    }
    for (uint32_t from = 0; from < rows->n; from += step->head_rows) {
        const uint32_t left = rows->n - from, n = left < step->head_rows ? left : step->head_rows;
        float *const *out = rows->out + from;
        const bool direct = in_one_piece(out, n, outputs);
        float *y = direct ? out[0] : step->logits;
        run_steps(lane, model, rows, x + from * hidden, n, y);
        if (rows->spec->softcap > 0)
            model->device->softcap(lane, rows->spec->softcap, y, outputs, n, (uint32_t)outputs);
        if (!direct)
            scatter(lane, y, out, n, outputs);
    }
}

void head_run(struct lane *lane, const struct pass *pass, const float *x, float *t) {
    const struct model *model = pass->model;
    const struct step *step = &model->step;
    const struct rows head = {&model->arch.head, &model->head, step->head_ids, step->logits_out,
                              pass->n_head};
    const struct rows second = {&model->arch.second, &model->second, step->second_ids,
                                step->second_out, pass->n_second};
    run_head(lane, pass, &head, x, t);
    run_head(lane, pass, &second, x, t);
}
