# The house: every room under src/ and what it may include (docs/architecture.md).
# The Makefile links each room's tests against exactly these, and tools/check holds the
# #include lines to them. A room may include its own headers and `x/x.h` of those listed.
MODULES := base kernels ops formats tokenizer template engine models generate tasks runtime server cli

base_uses      :=
kernels_uses   := base
ops_uses       := base kernels
formats_uses   := base
tokenizer_uses := base
template_uses  := base
engine_uses    := base formats ops
models_uses    := base formats ops engine
generate_uses  := base engine
tasks_uses     := base tokenizer template engine generate
runtime_uses   := base formats tokenizer template engine models generate tasks
server_uses    := base tasks runtime
cli_uses       := base runtime server
