#!/usr/bin/env python3
"""Writes Normalization.bin of the tokenizers: combining classes, decompositions and compositions as the normalizers of huggingface/tokenizers
know them. They know Unicode 9; what later versions added, as far as Python's unicodedata knows of it, is listed here and left out.

Layout, little-endian, deflated: number of ranges of combining classes, each (first, last, class); number of decompositions, each (code point,
1 if only of compatibility, length, code points); number of compositions, each (first, second, result). All of them 32-bit."""
import struct
import sys
import unicodedata
import zlib

LATER_DECOMPOSITIONS = "32FF A7F2-A7F4 AB69 10781-107BA 11938 1E030-1E06D 1F16C 1FBF0-1FBF9"
LATER_MARKS = (
    "7FD 897-89F 8CA-8D3 9FE C3C D3B-D3C EBA 1715 1ABF-1ACE 1DF6-1DFA A82C 10D24-10D27 10EAB-10EAC 10EFD-10EFF 10F46-10F50 "
    "10F82-10F85 11070 1133B 1145E 11839-1183A 11938 1193D-1193E 11943 119E0 11A34 11A47 11A99 11D42 11D44-11D45 11D97 "
    "11F41-11F42 16FF0-16FF1 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF")


def members(ranges):
    for part in ranges.split():
        first, _, last = part.partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)


def points(text):
    return [ord(c) for c in text]


def main(path):
    later, later_marks = set(members(LATER_DECOMPOSITIONS)), set(members(LATER_MARKS))
    classes, decompositions, compositions = [], [], []
    for c in range(0x110000):
        if 0xAC00 <= c <= 0xD7A3 or 0xD800 <= c <= 0xDFFF:
            continue
        kind = 0 if c in later_marks else unicodedata.combining(chr(c))
        if kind:
            if classes and classes[-1][1] == c - 1 and classes[-1][2] == kind:
                classes[-1][1] = c
            else:
                classes.append([c, c, kind])
        if c in later:
            continue
        canonical = points(unicodedata.normalize("NFD", chr(c)))
        compatible = points(unicodedata.normalize("NFKD", chr(c)))
        if canonical != [c]:
            decompositions.append((c, 0, len(canonical), *canonical))
        if compatible != canonical:
            decompositions.append((c, 1, len(compatible), *compatible))
        mapping = unicodedata.decomposition(chr(c)).split()
        if len(mapping) == 2 and not mapping[0].startswith("<") and unicodedata.normalize("NFC", chr(c)) == chr(c):
            compositions.append((int(mapping[0], 16), int(mapping[1], 16), c))
    numbers = []
    for section in (classes, decompositions, compositions):
        numbers.append(len(section))
        for entry in section:
            numbers.extend(entry)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    with open(path, "wb") as file:
        file.write(deflate.compress(struct.pack(f"<{len(numbers)}i", *numbers)) + deflate.flush())


main(sys.argv[1])
