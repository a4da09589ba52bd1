#!/usr/bin/env python3
"""Makes pairs whose label is certain: a question and a small edit of it, which changes what is asked or does not.

    edits.py QUESTIONS.jsonl ANTONYMS.tsv OUT.jsonl [--each N] [--seed S]

QUESTIONS: lines of {"a", "b"}; each question is used as it is. A line of OUT: {"a", "b", "same", "kind"}.
"""
import argparse
import json
import random
import re

MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
WORDS = "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand million billion".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth last".split()
GROUPS = [  # one stands for another of the same group: what is asked changes
    MONTHS,
    DAYS,
    "Python Java JavaScript TypeScript Rust Go Kotlin Swift Ruby PHP Perl Scala Haskell C++ C#".split(),
    "English French German Spanish Italian Portuguese Hindi Chinese Japanese Korean Arabic Russian Turkish Dutch".split(),
    "India China Japan Germany France Italy Spain Brazil Canada Mexico Australia Pakistan Nigeria Egypt Russia Turkey Sweden".split(),
    "London Paris Berlin Madrid Rome Tokyo Delhi Mumbai Bangalore Chennai Boston Chicago Seattle Toronto Sydney Dubai".split(),
    "Google Facebook Amazon Microsoft Apple Twitter Instagram WhatsApp Netflix Uber Quora YouTube Samsung Nokia Sony".split(),
    "Linux Windows macOS Android iOS Ubuntu Debian Fedora".split(),
    "PostgreSQL MySQL SQLite MongoDB Redis Oracle Cassandra".split(),
    "red blue green yellow black white orange purple".split(),
    "cat dog horse cow pig fish bird snake".split(),
    "physics chemistry biology mathematics history economics geography".split(),
    "dollars euros rupees pounds yen".split(),
    "miles kilometers meters feet inches".split(),
    "kg pounds grams ounces".split(),
    "seconds minutes hours days weeks months years".split(),
    "Celsius Fahrenheit Kelvin".split(),
    "MB GB KB TB".split(),
    "morning evening night afternoon".split(),
    "breakfast lunch dinner".split(),
    "mother father brother sister uncle aunt son daughter".split(),
    "2013 2014 2015 2016 2017 2018 2019 2020".split(),
]
IDENTIFIERS = (
    "get_user set_user max_retries min_retries read_timeout write_timeout HashMap HashSet Vec::new Box::new useState useMemo "
    "fetchAll fetchOne np.mean np.median df.merge df.join --force --quiet v1.4 v1.5 v2.0 python3.9 python3.11 utf8 utf16 sha1 "
    "sha512 md5 tokio::spawn std::thread git-rebase git-merge POST PUT GET /etc/hosts /etc/passwd main.rs lib.rs"
).split()
IDENTIFIER_FRAMES = (
    "How do I use {} here?", "What does {} do?", "Why does {} fail so often?", "What is the default of {}?",
    "Show an example with {}.", "Is {} deprecated?", "what happens when {} is missing", "Explain {} to a beginner",
)  # fmt: skip
ASKING = ("How", "Why", "When", "Where", "Who", "What")
OWNERS = {"my": "your", "your": "my", "his": "her", "her": "his", "their": "our", "our": "their"}
POLITE = (
    "Please tell me: {}", "Can you tell me {}", "Could you please tell me {}", "Hi, {}", "Hello! {}", "Quick question: {}",
    "I want to know, {}", "I would like to know: {}", "I was wondering, {}", "Hey there! {}", "Question: {}", "Please, {}",
    "{} Thanks!", "{} Thank you.", "{} Please help.", "{} Thanks in advance!", "So, {}", "Just curious: {}", "Do you know {}",
)  # fmt: skip
REWRITES = (
    ("What is", "What's"), ("what is", "what's"), ("How do I", "How can I"), ("How can I", "How do I"), ("do not", "don't"),
    ("does not", "doesn't"), ("did not", "didn't"), ("Is not", "Isn't"), ("is not", "isn't"), ("are not", "aren't"),
    ("can not", "can't"), ("cannot", "can't"), ("will not", "won't"), ("don't", "do not"), ("doesn't", "does not"),
    ("isn't", "is not"), ("can't", "cannot"), ("What are the best", "What are some of the best"), ("I am", "I'm"),
    ("How should I", "How do I"), ("Which is the best", "What is the best"), ("What are some", "What are"),
    ("Where can I", "Where do I"), ("How does one", "How do you"), ("How do you", "How do I"), ("I have", "I've"),
    ("Who is", "Who's"), ("Where is", "Where's"), ("What are the ways to", "How can I"), ("How to", "How do I"),
    ("color", "colour"), ("colour", "color"), ("favourite", "favorite"), ("program ", "programme "), ("percent", "%"),
    (" and ", " & "), ("United States", "US"), ("the USA", "the United States"), ("people", "persons"),
    ("two ", "2 "), ("three ", "3 "), ("five ", "5 "), ("ten ", "10 "), (" 2 ", " two "), (" 3 ", " three "), (" 10 ", " ten "),
    ("Is it possible to", "Can I"), ("Is there any way to", "Is there a way to"), ("Can someone", "Can anyone"),
)  # fmt: skip
NUMBER = re.compile(r"(?<![A-Za-z\d.,])\d[\d,]*(?:\.\d+)?")
NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b")
AUXILIARY = re.compile(r"\b(is|are|can|should|do|does|did|will|would|was|were|must|may|could|has|have)\b(?! not|n't)", re.I)
TOO_VAGUE = set("he she his her him in on out man like old new be do get go have".split())


class Maker:
    def __init__(self, questions, antonyms, seed):
        self.random = random.Random(seed)
        self.antonyms = antonyms
        self.names = [m.group() for q in questions[:8000] for m in NAME.finditer(q)] or ["Peter"]
        self.group = {word.lower(): group for group in GROUPS for word in group}

    def instead(self, text, match, new):
        return text[: match.start()] + new + text[match.end() :]

    def one(self, pattern, text):
        found = list(re.finditer(pattern, text))
        return self.random.choice(found) if found else None

    # Edits that change what is asked. None: not possible here.

    def number(self, text):
        match = self.one(NUMBER, text)
        if not match:
            return None
        digits = match.group()
        if "." in digits:
            return self.instead(text, match, digits + "5" if self.random.random() < 0.5 else digits.replace(".", "", 1))
        value = int(digits.replace(",", ""))
        new = self.random.choice([value + 1, value * 10, value + self.random.randint(2, 9), max(0, value - 1), value * 2 + 1])
        return self.instead(text, match, str(new)) if new != value else None

    def number_word(self, text):
        match = self.one(r"\b(?:%s)\b" % "|".join(WORDS + ORDINALS), text)
        if not match:
            return None
        family = WORDS if match.group() in WORDS else ORDINALS
        return self.instead(text, match, self.random.choice([w for w in family if w != match.group()]))

    def group_member(self, text):
        found = [m for m in re.finditer(r"[A-Za-z0-9+#]+", text) if m.group().lower() in self.group]
        if not found:
            return None
        match = self.random.choice(found)
        others = [w for w in self.group[match.group().lower()] if w.lower() != match.group().lower()]
        return self.instead(text, match, self.random.choice(others))

    def name(self, text):
        match = self.one(NAME, text)
        new = self.random.choice(self.names)
        return self.instead(text, match, new) if match and new[:4] != match.group()[:4] else None

    def negation(self, text):
        if re.search(r"\bnot\b|n't\b|\bwithout\b", text):
            bare = re.sub(r"\b(do|does|did|is|are|was|were|should|would|could|has|have)n't\b", r"\1", text, count=1)
            bare = re.sub(r" not\b", "", bare, count=1) if bare == text else bare
            bare = re.sub(r"\bwithout\b", "with", bare, count=1) if bare == text else bare
            return bare
        if " with " in text and self.random.random() < 0.5:
            return text.replace(" with ", " without ", 1)
        return AUXILIARY.sub(r"\1 not", text, count=1)

    def antonym(self, text):
        words = text.split()
        at = [i for i, w in enumerate(words) if w.lower() in self.antonyms and w.lower() not in TOO_VAGUE and len(w) > 2]
        if not at:
            return None
        i = self.random.choice(at)
        return " ".join(words[:i] + [self.random.choice(self.antonyms[words[i].lower()])] + words[i + 1 :])

    def roles(self, text):
        match = re.search(r"\bfrom ([A-Za-z]+) to ([A-Za-z]+)\b", text) or re.search(
            r"\b([A-Z][a-z]+) (?:over|than|before|after|beat|into|attack|invade|support|leave|acquire|buy|love|hate) ([A-Z]?[a-z]{3,})\b", text
        )
        if not match:
            return None
        one, two = match.group(1), match.group(2)
        return text[: match.start(1)] + two + text[match.end(1) : match.start(2)] + one + text[match.end(2) :]

    def owner(self, text):
        match = self.one(r"\b(?:my|your|his|our|their)\b", text)
        return self.instead(text, match, OWNERS[match.group()]) if match else None

    def asking(self, text):
        match = re.match(r"(How|Why|When|Where|Who) (?=do |does |did |is |are |was |were |can |should |will )", text)
        if not match:
            return None
        return self.random.choice([a for a in ASKING if a != match.group(1)]) + text[len(match.group(1)) :]

    # Edits that change nothing.

    def polite(self, text):
        frame = self.random.choice(POLITE)
        first = text if frame.startswith("{") or text[:2] in ("I ", "I'") or text[1:2].isupper() else text[0].lower() + text[1:]
        return frame.format(first)

    def rewrite(self, text):
        fitting = [(a, b) for a, b in REWRITES if a in text]
        if not fitting:
            return None
        a, b = self.random.choice(fitting)
        return text.replace(a, b, 1)

    def surface(self, text):
        shouted = text.upper() if len(text) < 60 else text.lower()
        return self.random.choice(
            [text.lower(), shouted, text.rstrip(".?!"), text + " ", text.replace(",", ""), "  " + text, text.rstrip("?.") + " ?",
             text.replace("'", "’"), text.rstrip("?.!") + "??", re.sub(r"\s", "  ", text, count=1), text.rstrip("?") + "?\n"]
        )  # fmt: skip


CHANGING = "number number_word group_member name negation antonym roles owner asking".split()
HARMLESS = "polite rewrite surface".split()


def make(questions, antonyms, each, seed):
    maker = Maker(questions, antonyms, seed)
    questions = [q for q in questions if 4 <= len(q.split()) <= 30]
    maker.random.shuffle(questions)
    count = dict.fromkeys(CHANGING + HARMLESS + ["identifier"], 0)
    for text in questions:
        for kind in maker.random.sample(CHANGING, len(CHANGING)) + HARMLESS:
            most = each // 2 if kind in ("owner", "asking", "number_word") else each
            if count[kind] >= most:
                continue
            other = getattr(maker, kind)(text)
            if other and other != text:
                count[kind] += 1
                yield {"a": text, "b": other, "same": kind in HARMLESS, "kind": kind}
                if kind in CHANGING:
                    break  # not the same question edited over and over
    for _ in range(each // 2):
        one, two = maker.random.sample(IDENTIFIERS, 2)
        frame = maker.random.choice(IDENTIFIER_FRAMES)
        yield {"a": frame.format(one), "b": frame.format(two), "same": False, "kind": "identifier"}


def main():
    parser = argparse.ArgumentParser()
    for name in ("questions", "antonyms", "out"):
        parser.add_argument(name)
    parser.add_argument("--each", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    with open(options.questions, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    questions = list(dict.fromkeys(text for row in rows for text in (row["a"], row["b"])))
    antonyms = {}
    with open(options.antonyms, encoding="utf-8") as lines:
        for one, two in (line.rstrip("\n").split("\t") for line in lines if "\t" in line):
            antonyms.setdefault(one, []).append(two)
            antonyms.setdefault(two, []).append(one)
    made, kinds = 0, {}
    with open(options.out, "w", encoding="utf-8") as out:
        for row in make(questions, antonyms, options.each, options.seed):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            made, kinds[row["kind"]] = made + 1, kinds.get(row["kind"], 0) + 1
    print(made, kinds)


if __name__ == "__main__":
    main()
