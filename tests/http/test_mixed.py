"""Mixed families under a memory limit: the small form of tests/mixed.py."""
import mixed
from harness import equal, test


@test
def mixed_families_within_the_limit(context):
    failures, _ = mixed.mixed(context.binary, 300, 8)
    equal(failures, [], "failures")
