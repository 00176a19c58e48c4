# SPDX-License-Identifier: Apache-2.0
"""Curves as a picture (SVG), without any library."""
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 340, 80, 20, 44, 48
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#8250df", "#bf8700", "#57606a")


def step(most):
    """A round distance of some five lines."""
    size = 1.0
    while size * 5 < most:
        size *= 10
    return next(distance for distance in (size / 5, size / 2, size) if distance * 5 >= most)


def label(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


def grid(most_x, most_y, x, y, x_title):
    lines = []
    distance = step(most_y)
    value = 0.0
    while value <= most_y * 1.0001:
        lines.append(f'<line x1="{LEFT}" y1="{y(value):.1f}" x2="{WIDTH - RIGHT}" y2="{y(value):.1f}" stroke="#d0d7de"/>'
                     f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{label(value)}</text>')
        value += distance
    distance = step(most_x)
    value = 0.0
    while value <= most_x * 1.0001:
        lines.append(f'<line x1="{x(value):.1f}" y1="{TOP}" x2="{x(value):.1f}" y2="{HEIGHT - BOTTOM}" stroke="#eaeef2"/>'
                     f'<text x="{x(value):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{label(value)}</text>')
        value += distance
    lines.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_title)}</text>')
    return lines


def draw(path, title, curves, x_title="seconds"):
    """curves: {name: [(x, y), …]}; a y of None is left out."""
    curves = {name: [(a, b) for a, b in points if b is not None] for name, points in curves.items()}
    most_x = max((a for points in curves.values() for a, _ in points), default=1) or 1
    most_y = max((b for points in curves.values() for _, b in points), default=1) or 1

    def x(value):
        return LEFT + value / most_x * (WIDTH - LEFT - RIGHT)

    def y(value):
        return HEIGHT - BOTTOM - value / (most_y * 1.05) * (HEIGHT - TOP - BOTTOM)

    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#24292f">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>', f'<text x="{LEFT}" y="18" font-size="14">{escape(title)}</text>']
    lines += grid(most_x, most_y, x, y, x_title)
    place = LEFT
    for (name, points), colour in zip(curves.items(), COLOURS):
        every = max(1, len(points) // 800)
        kept = points[::every] + points[-1:]
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="' +
                     " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in kept) + '"/>')
        lines.append(f'<rect x="{place}" y="28" width="12" height="4" fill="{colour}"/><text x="{place + 17}" y="35">{escape(name)}</text>')
        place += 30 + 7 * len(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([*lines, "</svg>"]) + "\n")
