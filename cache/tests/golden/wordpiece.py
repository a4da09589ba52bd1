"""Writes wordpiece.jsonl: texts with the numbers that Hugging Face's `tokenizers` gives them.

    pip install tokenizers && python wordpiece.py ../../model/vocab.txt > wordpiece.jsonl

The texts are our own. Special pieces in a text are tokenized as text: see src/text/wordpiece.rs. `tokenizers` knows the
character categories of Unicode 8.0, so the samples of blocks hold what was assigned by then (perl knows what was).
"""

import json
import subprocess
import sys

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

WRITTEN = [
    "", " ", "\t\n\r", "a", "A", "?", "...", "What is the capital of Peru?", "WHAT IS THE CAPITAL OF PERU",
    "How do I reset my password on the staging server?", "unbelievably antidisestablishmentarianism",
    "don't can't won't it's I'm you're", "state-of-the-art e-mail re-entry", "hello,world;foo:bar",
    "snake_case camelCase SCREAMING_CASE kebab-case", "C++ C# F# .NET Node.js", "x = a[i] + b[j] * (c - d) / 2 % 3",
    "fn main() { println!(\"{:?}\", vec![1, 2, 3]); }", "SELECT * FROM users WHERE id = 42 AND name LIKE '%bob%';",
    "if (a && b || !c) return ~x ^ y << 2 >> 1;", "<div class=\"big\">Hi &amp; bye</div>", "#!/bin/sh\nset -eu\nrm -rf \"$d\"",
    "for i in range(10):\n\tprint(i ** 2)", "https://example.org/a/b?c=d&e=f#g", "someone@example.org",
    "1 2 3 42 100 1000 1,000 1.000.000 3.14159 -7 +8 6e23 0xDEADBEEF 1/2 50% $9.99 €8,50 £7 ¥600 2024-02-29 23:59:59",
    "version 1.2.3-rc.4+build.5", "IPv6 fe80::1%eth0 and 192.168.0.1/24", "H2O CO2 E=mc² x³ ½ ¾ № ™ © ®",
    "naïve café résumé Ångström façade Zürich São Paulo Łódź Ørsted straße GROSSE STRASSE ẞ", "İstanbul ısı IĞDIR",
    "cafe\u0301 nai\u0308ve A\u030angstro\u0308m", "e\u0301\u0302\u0303\u0304 stacked", "\u0301leading mark", "a \u0301 alone",
    "Z\u0351\u036b\u0343\u036aalgo t\u0315e\u0327x\u0328t", "ﬁnal ﬂow ﬀ ĳ ǆ", "Ｆｕｌｌｗｉｄｔｈ １２３ ！？", "ⅣⅫ ⅷ ①②③ ㈱ ㎏",
    "Москва столица России", "ЙЦУКЕН ёлка Ёлка їжак", "Αθήνα Έλληνας ΣΊΣΥΦΟΣ σίσυφος", "שלום עולם בְּרֵאשִׁית", "مرحبا بالعالم مُحَمَّد",
    "हिन्दी में प्रश्न क्या है", "தமிழ் மொழி", "ภาษาไทยไม่มีวรรค", "한국어 질문입니다", "日本語の質問です。カタカナとひらがな", "中文問題：法國的首都是哪裡？",
    "北京and上海", "我爱Rust编程", "\u4e00\u9fff\u3400\u4dbf\uf900\ufaff", "\U00020000\U0002a6df\U0002a700\U0002b73f\U0002b740\U0002b81f",
    "\U0002b820\U0002ceaf\U0002ceb0\U0002ebe0\U0002f800\U0002fa1f\U00030000", "〇 々 〆 ヶ ・ ー", "ㄅㄆㄇ ꀀꀁ",
    "😀 😃 hello😀world 👍🏽 👨‍👩‍👧‍👦 🇫🇷 ❤️ ☕ ✈️", "→ ← ↔ ∑ ∫ ∞ ≈ ≠ ≤ ≥ √ π ∂ ∇", "\u226e \u2260 \u226f not less", "\u037e \u1fef \u0387 \u212a \u212b \u2126",
    "“curly” ‘quotes’ «guillemets» „low“ ‹single› – — … • · ¿Qué? ¡Hola!", "non\u00a0breaking\u202fspace\u2009thin\u3000wide\u1680ogham",
    "zero\u200bwidth\u200cjoin\u200der\u2060word\ufeffbom", "soft\u00adhyphen", "line\u2028para\u2029end", "vertical\x0btab\x0cfeed",
    "nul\x00bell\x07esc\x1bdel\x7fnel\x85end", "\x1c\x1d\x1e\x1f", "right\u202eto\u202cleft \u200f\u200e", "\ufffd replaced \ufffd", "private\ue000use\uf8ff",
    "\u0378 unassigned \u0380", "\U000e0001\U000e0041tags", "crlf\r\nline\rmac\nunix", "  leading and trailing  ", "tabs\t\tand   runs     of spaces",
    "[CLS] [SEP] [PAD] [UNK] [MASK] [unused1] ##ing ## # ##a", "a##b c## ##", "@#$%^&*()_+-=[]{}|;':\",./<>?`~\\", "a" * 99, "a" * 100, "a" * 101, "b" * 1000,
    "x" + "é" * 99, "x" + "é" * 100, "é" * 101, "ab" * 50 + "." + "cd" * 51, "Ω" * 100, "Ω" * 101, "e\u0301" * 100, "e\u0301" * 101,
    "supercalifragilisticexpialidocious", "pneumonoultramicroscopicsilicovolcanoconiosis", "qwrtpsdfghjklzxcvbnm", "zzzzzzzzzzzz", "ðþæœ", "ħĸŧŋ",
    "Is 5 greater than 3, or is 3 greater than 5?", "Who beat whom: did France beat Brazil or Brazil beat France?", "I will NOT go. I will go!",
    "What’s the time in São Tomé?", "Dr. O'Neill-Smith, Ph.D., said: \"No.\"", "3rd 1st 22nd 4x4 5G 10km 20°C −5 ±3 ×2 ÷4", "a\u0000b", "A\u0301\u0001\u0327B",
    "\u3099か\u3099 \u0e31\u0e34", "\ud7a3\uac00 \u1100\u1161\u11a8", "ǅ Ǆ ᾳ ᾼ ŉ ǰ ΐ", "𝒜𝓁𝓁 𝕞𝕒𝕥𝕙 𝟙𝟚𝟛", "ªº ˢᵘᵖ ₁₂₃", "a⁄b 5′ 6″", "\u0300\u0301\u0302", "\u302eㄱ\u302f",
]

SUBJECTS = ["a parser", "the Zürich office", "my 3rd invoice", "Ōsaka", "user_id", "the U.S. dollar", "Пушкин", "résumé.pdf"]
FORMS = ["How do I rename {0}?", "WHY is {0} slower than {1}??", "{0} vs. {1}: which one?", "Explain {0} (not {1}) in 50 words.",
         "translate \"{0}\" -> {1}", "{0}\n\n```\n{1}\n```"]


def blocks():
    """Some characters of every block of 128 up to the emoji, between letters, where categories of any sort meet."""
    for start in range(0x80, 0x3100, 0x80):
        yield "".join("a" + chr(start + k) for k in range(0, 0x80, 5)) + " " + "".join(chr(start + k) for k in range(2, 0x80, 9))
    for start in list(range(0xA000, 0xD7A0, 0x400)) + list(range(0xF900, 0xFFF0, 0x80)) + list(range(0x10000, 0x1FB00, 0x800)):
        yield "".join("a" + chr(start + k) for k in range(0, 0x80, 7))


def known_to_unicode_8(lines):
    """The lines without characters that came later."""
    filtered = subprocess.run(["perl", "-CSD", "-pe", r"s/[^\p{Present_In: 8.0}]//g"], input="\0".join(lines).replace("\n", "").encode(),
                              capture_output=True, check=True)
    return filtered.stdout.decode().split("\0")


def main():
    vocabulary = {line.rstrip("\n"): number for number, line in enumerate(open(sys.argv[1], encoding="utf-8", newline="\n"))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    filled = [form.format(a, b) for form in FORMS for a, b in zip(SUBJECTS, SUBJECTS[1:])]
    for text in WRITTEN + filled + known_to_unicode_8(blocks()):
        print(json.dumps({"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids}))


main()
