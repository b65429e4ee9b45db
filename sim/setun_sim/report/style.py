"""Colours and settings of the plots."""

#: told apart by people who do not see all colours (after Okabe and Ito)
COLOURS = ("#0b66a8", "#e08a00", "#0a8f6c", "#cc5500", "#b5629a", "#3fa4dc", "#8a8f98", "#c9b400")
INK, SOFT, RULE = "#1c2430", "#5b6675", "#dfe3e8"
#: settings of matplotlib: letters are outlines, so that a figure looks the same everywhere, in every run
STYLE = {
    "svg.hashsalt": "setun", "svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 9.0,
    "axes.edgecolor": SOFT, "axes.labelcolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT, "text.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "legend.frameon": False,
    "axes.titlesize": 10.0, "axes.titlelocation": "left", "text.parse_math": False,
}  # fmt: skip
