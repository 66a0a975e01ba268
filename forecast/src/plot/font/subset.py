"""The part of a weight of Roboto that the charts use: subset.py original.ttf subset.ttf"""

import sys
from fontTools import subset
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen

UNICODES = (
    "20-7E A0-17F 192 218-21B 2C6-2DD 370-3FF 400-45F 490-491 2010-2026 2030-203A 2044 2070-209C "
    "20A0-20BF 2116 2122 2190-21D4 2202-2265 25CA FFFD"
)

options = subset.Options(hinting=False, layout_features=[], name_IDs=["*"], drop_tables=["GDEF", "GPOS", "GSUB"])
font = subset.load_font(sys.argv[1], options)
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=subset.parse_unicodes(UNICODES.replace(" ", ",")))
subsetter.subset(font)

glyphs = font.getGlyphSet()
outlines = {}
for name in font.getGlyphOrder():
    outlines[name] = DecomposingRecordingPen(glyphs)
    glyphs[name].draw(outlines[name])
for name, outline in outlines.items():
    # Plotters 0.3.7 draws a glyph from its leftmost point, not from its origin, and so loses the white space
    # before it: a contour without area at the origin makes the two the same.
    pen = TTGlyphPen(None)
    if outline.value:
        pen.moveTo((0, 0))
        pen.lineTo((0, 1))
        pen.closePath()
    outline.replay(pen)
    glyph = pen.glyph()
    glyph.recalcBounds(font["glyf"])
    font["glyf"][name] = glyph
    font["hmtx"][name] = (font["hmtx"][name][0], getattr(glyph, "xMin", 0))
subset.save_font(font, sys.argv[2], options)
