"""A bar chart of how many times faster Brisk is than PyTorch, as SVG, without any library."""

COLORS = {"torch": "#b8c0c8", "fp32": "#5b8fd0", "bf16": "#4aa3a0", "int8": "#2e6f40"}


def _bar(parts, x, y, width, label, color):
    parts.append(f'<rect x="{x}" y="{y}" width="{max(width, 1):.1f}" height="18" rx="3" fill="{color}"/>')
    parts.append(f'<text x="{x + width + 6:.1f}" y="{y + 14}" font-size="13" fill="#223">{label}</text>')


def write(path, result):
    rows = result["rows"]
    most = max(b["ratio"]["median"] for row in rows for b in row["brisk"].values())
    scale = 420 / max(most, 1)
    parts, y = [], 56
    for row in rows:
        parts.append(f'<text x="20" y="{y}" font-size="14" font-weight="bold" fill="#123">{row["work"]}</text>')
        y += 8
        _bar(parts, 150, y, scale, "1× PyTorch fp32", COLORS["torch"])
        parts.append(f'<text x="20" y="{y + 14}" font-size="13" fill="#223">PyTorch</text>')
        for precision, b in row["brisk"].items():
            y += 23
            parts.append(f'<text x="20" y="{y + 14}" font-size="13" fill="#223">Brisk {precision}</text>')
            _bar(parts, 150, y, scale * b["ratio"]["median"],
                 f'{b["ratio"]["median"]:.1f}× ({b["ms"]["median"]:.1f} ms)', COLORS[precision])
        y += 50
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {y}" font-family="sans-serif">'
            f'<rect width="760" height="{y}" fill="#fff"/>'
            f'<text x="20" y="28" font-size="16" fill="#123">Times faster than PyTorch through transformers, '
            f'{result["threads"]} threads</text>')
    with open(path, "w", encoding="utf-8") as f:
        f.write(head + "".join(parts) + "</svg>\n")
