"""Random templates for tests/diff/templates.py: expressions, filters, statements and blank space, over a
few variables. Most are valid; what they do wrong, jinja2 and Brisk must do wrong alike."""
import random

VARIABLES = {
    "x": 5, "y": -3, "f": 2.5, "s": "Hello World", "e": "", "u": "naïve ßtraße 😀\n日本語 ", "n": None, "t": True,
    "l": [3, 1, 2, 3], "ls": ["b", "A", "c", ""], "d": {"a": 1, "b": [1, {"c": None}], "é": "ü"},
    "ms": [{"role": "user", "content": " hi "}, {"role": "assistant", "content": "yo", "n": 2},
           {"role": "tool", "content": [{"type": "text", "text": "<b>"}]}],
    "nested": [[1, 2], [3, 4], []], "ws": "  two\n\n lines\t", "num": "42", "fl": 1e20, "empty": [], "eo": {},
}
NAMES = list(VARIABLES) + ["undef", "ns"]
UNARY = ["upper", "lower", "title", "capitalize", "trim", "length", "list", "string", "int", "float", "join",
         "first", "last", "sort", "unique|list", "reverse|list", "sum", "min", "max", "tojson", "abs", "round",
         "escape", "e|string", "safe", "wordcount", "items|list", "dictsort", "default('D')", "d('D', true)",
         "tojson(indent=2)", "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))",
         "tojson(sort_keys=true)", "join(', ')", "join('-', attribute='role')", "map('string')|list",
         "map('upper')|list", "map(attribute='role')|list", "map(attribute='n', default=0)|list", "select|list",
         "reject|list", "select('string')|list", "selectattr('n')|list", "selectattr('role', 'eq', 'user')|list",
         "rejectattr('n', 'defined')|list", "batch(2)|list", "batch(2, 'z')|list", "slice(2)|list", "indent",
         "indent(2, true)", "indent('> ', first=true, blank=true)", "replace('l', 'L')", "replace('l', '', 1)",
         "truncate(7)", "truncate(5, true, '')", "center(13)", "groupby('role')|list", "urlencode", "round(1)",
         "sort(reverse=true)", "sort(attribute='role')", "sort(case_sensitive=true)", "int(7)", "int(base=16)",
         "trim('H ')", "count", "format(1)", "attr('upper')", "filesizeformat", "round(0, 'ceil')"]
TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence",
         "iterable", "true", "false", "odd", "even", "callable", "upper", "lower", "in [1, 5, 'b']", "eq 5",
         "divisibleby 5", "sameas none", "lt 3", "ge 2.5", "equalto('user')", "ne none", "not none",
         "not defined", "escaped"]
METHODS = ["upper()", "lower()", "title()", "capitalize()", "strip()", "lstrip()", "rstrip()", "split()",
           "split('l')", "split('l', 1)", "rsplit(none, 1)", "split(maxsplit=1)", "splitlines()", "strip('H d')",
           "startswith('He')", "endswith(('d', 'x'))", "find('o')", "rfind('o')", "count('l')", "isdigit()",
           "replace('o', '0')", "join(['a', 'b'])", "join(ls)", "format(1, a=2)", "isalpha()", "isspace()",
           "islower()", "partition('o')", "removeprefix('He')", "zfill(6)", "swapcase()", "items()", "keys()",
           "values()", "get('a')", "get('zz', 7)", "copy()", "index(3)", "append(1)", "update({})", "pop()"]
LITERALS = ["0", "1", "-1", "2", "7", "2.5", "1e3", "'a'", "''", "'lo'", '"it\'s"', "'\\n'", "'é'", "true", "false",
            "none", "[]", "{}", "()", "(1,)", "[1, 'a', none]", "{'a': 1, 2: 'b'}", "'%s'", "'{}'", "'42'", "'a' 'b'"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]


class Maker:
    """pool: expressions that jinja2 can evaluate, so that most of a template is run."""

    def __init__(self, seed, pool=()):
        self.rnd = random.Random(seed)
        self.names = list(NAMES)
        self.pool = pool

    def pick(self, values):
        return self.rnd.choice(values)

    def expression(self, depth=3):
        r = self.rnd.random()
        if depth <= 0 or r < 0.18:
            return self.pick(self.names) if self.rnd.random() < 0.7 else self.pick(LITERALS)
        e = lambda: self.expression(depth - 1)
        if r < 0.42:
            return f"{self.operand(depth - 1)}|{self.pick(UNARY)}"
        if r < 0.52:
            return f"{self.operand(depth - 1)}.{self.pick(METHODS)}"
        if r < 0.58:
            return f"{self.operand(depth - 1)} is {self.pick(TESTS)}"
        if r < 0.66:
            return f"{self.pick(NAMES)}[{self.subscript(depth - 1)}]"
        if r < 0.70:
            return f"{self.operand(depth - 1)}.{self.pick(['a', 'b', 'role', 'content', 'n', 'x', 'é', '0'])}"
        if r < 0.84:
            return f"{self.operand(depth - 1)} {self.pick(BINARY)} {self.operand(depth - 1)}"
        if r < 0.88:
            return f"{self.pick(['not ', '-', '+', 'not not '])}{self.operand(depth - 1)}"
        if r < 0.93:
            return f"{e()} if {e()} else {e()}" if self.rnd.random() < 0.8 else f"{e()} if {e()}"
        if r < 0.96:
            return "[" + ", ".join(e() for _ in range(self.rnd.randrange(4))) + "]"
        if r < 0.98:
            return "{" + ", ".join(f"{self.pick(LITERALS)}: {e()}" for _ in range(self.rnd.randrange(3))) + "}"
        return self.pick(["range(4)", "range(1, 9, 3)|list", "dict(a=1)", "namespace(q=2).q", "range(y, x)|list"])

    def value(self, depth):
        return self.pick(self.pool) if self.pool and self.rnd.random() < 0.9 else self.expression(depth)

    def operand(self, depth):
        text = self.expression(depth)
        return text if text.isalnum() or self.rnd.random() < 0.3 else f"({text})"

    def subscript(self, depth):
        r = self.rnd.random()
        if r < 0.4:
            return self.pick(["0", "1", "-1", "'a'", "'role'", "2", "'zz'", "x", "none"])
        if r < 0.85:
            part = lambda: self.pick(["", "1", "-1", "2", "-2", "none", "0"])
            return f"{part()}:{part()}" + (f":{self.pick(['', '1', '-1', '2', '-2'])}" if self.rnd.random() < 0.4 else "")
        return self.expression(depth)

    def tag(self, text):
        left, right = self.pick(["", "", "", "-", "+"]), self.pick(["", "", "", "-", "+"])
        return "{%" + left + " " + text + " " + right + "%}"

    def data(self):
        return self.pick(["", " ", "\n", "a", "  \n  ", "text\n", "<|im_start|>", "\t", "{", "x }} y", "\n\n ", "é "])

    def output(self):
        left, right = self.pick(["", "", "-"]), self.pick(["", "", "-"])
        return "{{" + left + " " + self.value(3) + " " + right + "}}"

    def block(self, depth):
        return "".join(self.data() + self.statement(depth) for _ in range(self.rnd.randrange(1, 4))) + self.data()

    def loop(self, depth):
        target, names = self.pick([("i", ["i"]), ("m", ["m"]), ("a, b", ["a", "b"])])
        source = self.pick(["l", "ms", "ls", "s", "d", "range(3)", "d.items()", "empty", self.value(2)])
        if target == "a, b":
            source = self.pick(["d.items()", "nested[:2]", "d|dictsort", "nested"])
        before = self.names
        self.names = before + names + ["loop.index", "loop.last", "loop.first", "loop.length", "loop.previtem",
                                       "loop.nextitem", "loop.revindex0", "loop.cycle('p', 'q')", "loop.changed(x)"]
        head = f"for {target} in {source}" + (f" if {names[0]}" if self.rnd.random() < 0.2 else "")
        body = self.block(depth - 1)
        if self.rnd.random() < 0.15:
            body += self.tag("if loop.index > 1") + self.tag(self.pick(["break", "continue"])) + self.tag("endif")
        text = self.tag(head) + body
        self.names = before
        if self.rnd.random() < 0.2:
            text += self.tag("else") + self.block(depth - 1)
        return text + self.tag("endfor")

    def branch(self, depth):
        text = self.tag(f"if {self.value(2)}") + self.block(depth - 1)
        if self.rnd.random() < 0.3:
            text += self.tag(f"elif {self.value(2)}") + self.block(depth - 1)
        if self.rnd.random() < 0.4:
            text += self.tag("else") + self.block(depth - 1)
        return text + self.tag("endif")

    def macro(self, depth):
        body = self.block(depth - 1)
        inner = self.pick(["p", "q", "varargs", "kwargs", "p ~ q"])
        call = self.pick(["m1(1)", "m1()", "m1(x, q='z')", "m1(1, 2, 3)", "m1(zz=1)"][:3 if inner[0] != "v" else 4])
        return (self.tag("macro m1(p, q='Q')") + "{{ " + inner + " }}" + body + self.tag("endmacro") +
                "{{ " + call + " }}")

    def statement(self, depth):
        r = self.rnd.random()
        if depth <= 0 or r < 0.45:
            return self.output()
        if r < 0.60:
            return self.loop(depth)
        if r < 0.74:
            return self.branch(depth)
        if r < 0.84:
            name = self.pick(["v", "w", "ns.q", "ns.w", "v, w"])
            self.names = list(dict.fromkeys(self.names + (["v"] if name == "v" else ["ns.q"])))
            return self.tag(f"set {name} = {self.value(3)}")
        if r < 0.88:
            return self.tag("set v" + self.pick(["", " | upper", " | trim"])) + self.block(depth - 1) + self.tag("endset")
        if r < 0.92:
            return self.macro(depth)
        if r < 0.95:
            return self.tag("filter " + self.pick(["upper", "trim", "replace('a', 'b')|title"])) + \
                self.block(depth - 1) + self.tag("endfilter")
        if r < 0.97:
            return self.tag("with w = " + self.value(2)) + self.block(depth - 1) + self.tag("endwith")
        return self.pick(["{# comment #}", "{#- c -#}\n", "{% raw %} {{ x }} {% endraw %}",
                          self.tag("generation") + self.block(depth - 1) + self.tag("endgeneration")])

    def template(self):
        return "{% set ns = namespace(q=0) %}" + self.block(3)
