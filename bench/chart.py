"""Charts as SVG, without any library: how many times faster Brisk is than a peer, what a start takes, how cost grows."""

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


# What the picture of few bars shows: for each workload PyTorch, the fastest peer, and Brisk at 8 bits.
OVERVIEW = ("gpt2, 16 → 128 tokens, greedy, one stream", "gpt2, 16 → 128 tokens, greedy, 16 streams at once",
            "Qwen2 0.5B, 16 → 64 tokens, greedy, one stream", "MiniLM-L6 embedding, 12 tokens",
            "bert-base classification, 128 tokens", "t5-small translation, 20 → 30 tokens, 4 beams",
            "bart-base summarization, 512 → 60 tokens, 4 beams")


def write_overview(path, result):
    """The same for those who look once: three bars a workload, all of them equal models in one run."""
    rows = [row for row in result["rows"] if "torch_ms" in row and "int8" in row["brisk"] and row["work"] in OVERVIEW]
    most = max((row["brisk"]["int8"]["ratio"]["median"] for row in rows), default=1)
    picture = Picture(f'Times faster than PyTorch through transformers, {result["threads"]} threads', max(most, 1), labels=230)
    for row in rows:
        picture.group(row["work"])
        others = [p for who, p in row["peers"].items() if who != "torch fp32"]
        fastest = [max(others, key=lambda p: p["ratio"]["median"])] if others else []
        for p in [row["peers"]["torch fp32"], *fastest]:
            picture.bar(p["title"], p["ratio"]["median"], f'{p["ratio"]["median"]:.1f}×', PEER)
        ratio = row["brisk"]["int8"]["ratio"]["median"]
        picture.bar("Brisk int8", ratio, f"{ratio:.1f}×", BRISK["int8"])
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


PANEL, ACROSS = (330, 230), 2  # a panel's size with its labels; panels side by side


def _panel(parts, left, top, panel):
    """One curve from 0 on, and dashed the straight line through 0 and its first point: below it is better."""
    x0, y0, x1, y1 = left + 76, top + PANEL[1] - 44, left + PANEL[0] - 20, top + 36
    points = [(p["x"], p["ms"]["median"]) for p in panel["points"]]
    most_x, most_y = points[-1][0], max(y for _, y in points) * 1.1

    def at(x, y):
        return x0 + x / most_x * (x1 - x0), y0 - y / most_y * (y0 - y1)

    def text(x, y, words, anchor="middle", size=11):
        parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#123">{words}</text>')

    def line(start, end, style):
        (ax, ay), (bx, by) = start, end
        parts.append(f'<line x1="{ax:.1f}" y1="{ay:.1f}" x2="{bx:.1f}" y2="{by:.1f}" {style}/>')

    text(left + 20, top + 20, panel["title"], "start", 13)
    line(at(0, 0), at(most_x, 0), 'stroke="#789"')
    line(at(0, 0), at(0, most_y), 'stroke="#789"')
    steepness = points[0][1] / points[0][0]
    reach = min(most_x, most_y / steepness)
    if panel["grows"]:
        line(at(0, 0), at(reach, reach * steepness), f'stroke="{PEER}" stroke-dasharray="5 4"')
    for start, end in zip(points, points[1:]):
        line(at(*start), at(*end), f'stroke="{BRISK["int8"]}" stroke-width="2"')
    for x, y in points:
        parts.append(f'<circle cx="{at(x, y)[0]:.1f}" cy="{at(x, y)[1]:.1f}" r="3" fill="{BRISK["int8"]}"/>')
    text(x1, y0 + 16, points[-1][0])
    text(x0, y0 + 16, 0)
    text((x0 + x1) / 2, y0 + 32, panel["across"])
    text(x0 - 6, at(*points[-1])[1] + 4, f"{points[-1][1]:.{0 if points[-1][1] >= 100 else 2}f} ms", "end")


def write_scaling(path, result):
    """scaling.py's curves, a panel each."""
    down = -(-len(result["panels"]) // ACROSS)
    width, height = ACROSS * PANEL[0], down * PANEL[1]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
             f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for i, panel in enumerate(result["panels"]):
        _panel(parts, i % ACROSS * PANEL[0], i // ACROSS * PANEL[1], panel)
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(parts) + "</svg>\n")
