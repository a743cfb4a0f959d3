"""Bar charts as SVG, without any library: how many times faster Brisk is than a peer, and what a start takes."""

PEER = "#b8c0c8"
BRISK = {"fp32": "#5b8fd0", "bf16": "#4aa3a0", "int8": "#2e6f40", "int4": "#8a5a9e"}
WIDTH, AFTER = 760, 190  # of the picture; what stays free behind the longest bar for its label


class Picture:
    """Groups of bars under a title, from top to bottom."""

    def __init__(self, title, longest, labels=150):
        self.parts, self.y, self.labels = [], 56, labels
        self.scale = (WIDTH - labels - AFTER) / max(longest, 1e-9)
        self._text(20, 28, title, 16)

    def _text(self, x, y, text, size=13, weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y}" font-size="{size}" font-weight="{weight}" fill="#123">'
                          f'{text}</text>')

    def group(self, name):
        self._text(20, self.y, name, 14, "bold")
        self.y += 8

    def bar(self, name, value, label, color):
        width = max(value * self.scale, 1)
        self._text(20, self.y + 14, name)
        self.parts.append(f'<rect x="{self.labels}" y="{self.y}" width="{width:.1f}" height="18" rx="3" '
                          f'fill="{color}"/>')
        self._text(self.labels + width + 6, self.y + 14, label)
        self.y += 23

    def gap(self):
        self.y += 27

    def save(self, path):
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.y}" font-family="sans-serif">'
                f'<rect width="{WIDTH}" height="{self.y}" fill="#fff"/>')
        with open(path, "w", encoding="utf-8") as file:
            file.write(head + "".join(self.parts) + "</svg>\n")


def write_speed(path, result):
    """bench.py's rows: Brisk's precisions and the peers against PyTorch, where that ran."""
    rows = [row for row in result["rows"] if "torch_ms" in row]
    bars = [[(p["title"], p, PEER) for p in row["peers"].values()] +
            [(f"Brisk {precision}", b, BRISK[precision]) for precision, b in row["brisk"].items()] for row in rows]
    most = max((figures["ratio"]["median"] for row in bars for _, figures, _ in row), default=1)
    picture = Picture(f'Times faster than PyTorch through transformers, {result["threads"]} threads', max(most, 1), labels=230)
    for row, of_row in zip(rows, bars):
        picture.group(row["work"])
        for name, figures, color in of_row:
            picture.bar(name, figures["ratio"]["median"],
                        f'{figures["ratio"]["median"]:.1f}× ({figures["ms"]["median"]:.1f} ms)', color)
        picture.gap()
    picture.save(path)


def write_tokenizing(path, result):
    """tokenizing.py's rows: the least of the texts of each length, so that the picture promises no more."""
    least = [(t, length, min((row["ratio"] for row in t["rows"] if row["work"].startswith(length)),
                             key=lambda ratio: ratio["median"], default=None))
             for t in result["tokenizers"] for length in ("short", "1 MB")]
    least = [(t, length, ratio) for t, length, ratio in least if ratio]
    most = max([ratio["median"] for _, _, ratio in least], default=1)
    picture = Picture(f'Tokenizing: times faster than tokenizers {result["versions"]["tokenizers"]}, one thread, '
                      "slowest kind of text", max(most, 1))
    for t in result["tokenizers"]:
        picture.group(f'{t["tokenizer"]} ({t["kind"]})')
        for tokenizer, length, ratio in least:
            if tokenizer is t:
                picture.bar(f"{length} texts", ratio["median"],
                            f'{ratio["median"]:.1f}×', BRISK["int8"])
        picture.gap()
    picture.save(path)


def write_cold(path, result, titles):
    """cold.py's times from starting a process to its first answer."""
    ms = {name: spread["median"] for name, spread in result["ms"].items()}
    picture = Picture(f'From starting the process to the first answer, GPT-2 size, {result["precision"]}, warm disk',
                      max(ms.values()), labels=320)
    for name, title in titles:
        if name in ms:
            picture.bar(title.replace("`", ""), ms[name], f"{ms[name]:.0f} ms",
                        PEER if name == "peer" else BRISK["int8"])
    picture.gap()
    picture.save(path)
