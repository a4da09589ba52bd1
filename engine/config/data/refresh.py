#!/usr/bin/env python3
"""Condenses an extract of LiteLLM's model list into catalog.json, the price catalogue in the binary.

    python3 refresh.py EXTRACT.json > catalog.json

EXTRACT.json lists models with `price_per_mtok` in US dollars per million tokens. Those become integers here,
picodollars per token (1 $/million = 1,000,000), by decimal arithmetic: no binary fraction touches a price. What is not
counted in tokens stands in `price_per_unit`, US dollars for a search, an image or a minute, and becomes nanodollars.
See NOTICE.md for what is derived rather than copied.
"""

import json
import sys
from decimal import Decimal

CLASSES = {
    "input": "input",
    "output": "output",
    "cache_read": "cache_read",
    "cache_write": "cache_write",
    "cache_write_1h": "cache_write_1h",
    "reasoning_output": "reasoning",
    "output_reasoning": "reasoning",
    "audio_input": "audio_input",
    "audio_output": "audio_output",
}

# Our names of abilities, and how the extract says that a model has them.
ABILITIES = {
    "tools": ("capabilities", "tools"),
    "vision": ("capabilities", "vision"),
    "audio": ("input_modalities", "audio"),
    "documents": ("capabilities", "pdf"),
    "json_schema": ("capabilities", "json_schema"),
    "reasoning": ("capabilities", "reasoning"),
}


def picodollars(per_million):
    scaled = Decimal(per_million) * 1_000_000
    if scaled < 0 or scaled != scaled.to_integral_value():
        raise ValueError(f"{per_million} has no exact value in picodollars per token")
    return int(scaled)


def nanodollars(dollars):
    scaled = Decimal(dollars) * 1_000_000_000
    if scaled < 0 or scaled != scaled.to_integral_value():
        raise ValueError(f"{dollars} has no exact value in nanodollars")
    return int(scaled)


def rates(source):
    return {name: picodollars(source[key]) for key, name in CLASSES.items() if key in source}


def tiers(base, source):
    """Tiers by rising bound. A class without a figure of its own keeps its base rate."""
    found = {}
    for tier in source:
        bound = tier.get("above_input_tokens", tier.get("input_token_range", [0])[0])
        if bound > 0:
            found[int(bound)] = {**base, **rates(tier)}
    return [{"above": bound, **found[bound]} for bound in sorted(found)]


def service(base, prices, name):
    """Rates of a service tier. Classes without a figure keep their proportion to the base input rate."""
    if f"{name}_input" not in prices:
        return None
    cost = picodollars(prices[f"{name}_input"])
    scaled = {key: rate * cost // base["input"] if base["input"] else rate for key, rate in base.items()}
    scaled["input"] = cost
    if f"{name}_output" in prices:
        scaled["output"] = picodollars(prices[f"{name}_output"])
    return scaled


def abilities(model):
    """What the extract says that a chat model can do. Nothing at all: it does not describe the model."""
    if model["mode"] != "chat":
        return []
    return [name for name, (key, word) in ABILITIES.items() if word in model.get(key, [])]


def spoken_of(models):
    """The abilities that the extract knows at each provider: of the others its silence says nothing."""
    found = {}
    for model in models:
        found.setdefault(model["provider"], set()).update(abilities(model))
    return {name: [it for it in ABILITIES if it in found[name]] for name in sorted(found) if found[name]}


def condensed(model):
    prices = model["price_per_mtok"]
    base = {"input": 0, "output": 0, **rates(prices)}
    mode = "responses" if model.get("responses_api_only") else model["mode"]
    entry = {"provider": model["provider"], "model": model["model"], "mode": mode}
    for key, name in (("aliases", "aliases"), ("context", "context"), ("max_output", "max_output")):
        if model.get(key):
            entry[name] = [str(it) for it in model[key]] if key == "aliases" else int(model[key])
    if abilities(model):
        entry["capabilities"] = abilities(model)
    entry["price"] = base
    for name, value in (
        ("tiers", tiers(base, model.get("tiers", []))),
        ("flex", service(base, prices, "flex")),
        ("priority", service(base, prices, "priority")),
        ("per_unit", {name: nanodollars(it) for name, it in model.get("price_per_unit", {}).items()}),
    ):
        if value:
            entry[name] = value
    return entry


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        extract = json.load(file, parse_float=Decimal)
    models = sorted(map(condensed, extract["models"]), key=lambda it: (it["provider"], it["model"]))
    source = {key: str(extract["source"][key]) for key in ("package", "extracted")}
    lines = ",\n".join(json.dumps(model, separators=(",", ":")) for model in models)
    head = {"source": source, "unit": "picodollars per token", "abilities": spoken_of(extract["models"])}
    print(f'{json.dumps(head, separators=(",", ":"))[:-1]},"models":[\n{lines}\n]}}')


main()
