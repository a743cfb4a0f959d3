# Sourced by script/test and its kin: runs steps one after the other, goes on after a failure, and ends
# with the plain line `N passed, N failed` over all of them. Steps that count tests append
# "passed failed" lines to $TESTS_TALLY; nested scripts hand their sum to the outer one.

steps_outer=${TESTS_TALLY:-}
TESTS_TALLY=$(mktemp)
export TESTS_TALLY
trap 'rm -f "$TESTS_TALLY"' EXIT

steps_sum() { # column
    awk -v c="$1" '{ n += $c } END { print n + 0 }' "$TESTS_TALLY"
}

# step TITLE COMMAND…: one that fails without having counted a failure counts as one.
step() {
    title=$1
    shift
    printf '\n== %s\n' "$title"
    before=$(steps_sum 2)
    began=$(date +%s)
    "$@"
    code=$?
    printf '== %s: %s s\n' "$title" "$(($(date +%s) - began))"
    [ "$code" -ne 0 ] || return 0
    [ "$(steps_sum 2)" -gt "$before" ] || echo "0 1" >>"$TESTS_TALLY"
    echo "== $title: failed (exit $code)"
}

# check TITLE COMMAND…: a step that is a single test.
check() {
    check_before=$(steps_sum 2)
    step "$@"
    [ "$(steps_sum 2)" -gt "$check_before" ] || echo "1 0" >>"$TESTS_TALLY"
}

steps_end() {
    passed=$(steps_sum 1) failed=$(steps_sum 2)
    [ -z "$steps_outer" ] || echo "$passed $failed" >>"$steps_outer"
    printf '\n%s passed, %s failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
