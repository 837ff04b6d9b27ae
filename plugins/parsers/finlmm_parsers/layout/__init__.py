"""Layout analysis: what the parsers share above the PDF library (lines, blocks, tables, captions, report meta)."""
