"""tools/reference: a head without a golden is named, and so is an excuse that is not needed."""
import importlib.machinery
import importlib.util
import os
import sys
import unittest

PATH = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tools", "reference")
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("reference", PATH)
reference = importlib.util.module_from_spec(importlib.util.spec_from_loader("reference", LOADER))
LOADER.exec_module(reference)

ROW = "; add a row to tools/goldens/every_head.py"
# classes of the family "ant", classes of its golden folders, excused heads, what is found
ROWS = [
    (["AntModel", "AntForMaskedLM"], ["AntModel", "AntForMaskedLM"], (), []),
    (["AntModel", "AntForMaskedLM"], ["AntModel"], (), ["ant: no golden has AntForMaskedLM" + ROW]),
    (["AntModel", "AntForMaskedLM"], ["AntModel", "BeeForMaskedLM"], (), ["ant: no golden has AntForMaskedLM" + ROW]),
    # one class of a head is enough, of whichever relative
    (["AntForMaskedLM", "AntForPreTraining"], ["AntForPreTraining"], (), []),
    (["AntForCausalLM", "AntLMHeadModel", "FlyForCausalLM"], ["FlyForCausalLM"], (), []),
    (["AntForCausalLM", "AntLMHeadModel"], [], (), ["ant: no golden has AntForCausalLM or AntLMHeadModel" + ROW]),
    # the longest ending counts
    (["AntWithLMHeadModel"], ["AntModel"], (), ["ant: no golden has AntWithLMHeadModel" + ROW]),
    (["AntForQuestionAnsweringSimple"], ["AntForQuestionAnsweringSimple"], (), []),
    (["AntForMultipleChoice", "AntForNextSentencePrediction"], [], (), []),
    (["AntForCausalLM"], [], ("ForCausalLM",), []),
    (["AntForCausalLM"], ["AntForCausalLM"], ("ForCausalLM",),
     ["ant: ForCausalLM is excused in tools/reference, but has a golden"]),
    (["AntModel"], ["AntModel"], ("ForCausalLM",),
     ["ant: ForCausalLM is excused in tools/reference, but is no head of the family"]),
    (["AntForDancing"], ["AntForDancing"], (), ["ant: tools/reference knows no head of AntForDancing"]),
]


class GapsTest(unittest.TestCase):
    def test_heads_without_goldens_are_named(self):
        for classes, shown, excused, wanted in ROWS:
            with self.subTest(classes=classes, shown=shown, excused=excused):
                families = [{"family": "ant", "model_types": ["ant", "fly"], "classes": classes}]
                tested = {"fly": [(f"ant/{i}", {"a task"}, [name]) for i, name in enumerate(shown)]}
                self.assertEqual(reference.gaps(families, tested, {"ant": excused}), wanted)


if __name__ == "__main__":
    unittest.main()
