"""The section `programs`: the user's rules that name processes. Matching is `programs.rules`' business."""

from __future__ import annotations

import re

from scalpels_exporter.config.parameters import pattern_problem, shorten
from scalpels_exporter.config.tree import Value
from scalpels_exporter.programs.rules import Rule

FACTS = ("cmdline", "exe", "unit", "container")
_MOST_RULES = 500
_LONGEST_NAME = 80
_LONGEST_PATTERN = 2000


def read(section: Value) -> tuple[Rule, ...]:
    """The rules in their order; mistakes are noted."""
    items = section.items("rules")
    if items is None:
        return ()
    if len(items) > _MOST_RULES:
        section.mistake(f"expected at most {_MOST_RULES} rules, got {len(items)}")
        return ()
    rules: list[Rule] = []
    lines: dict[str, int] = {}
    for item in items:
        rule = _rule(item)
        if rule is None:
            continue
        if rule.name in lines:
            first = lines[rule.name]
            item.mistake(f'two rules have the name "{rule.name}", the first in line {first}; join them with |')
            continue
        lines[rule.name] = item.line
        rules.append(rule)
    return tuple(rules)


def _rule(item: Value) -> Rule | None:
    keys = item.section(("name", *FACTS))
    if not item.is_mapping:
        if not item.is_list and item.plain() is None:
            item.mistake("expected a rule such as {name: billing, cmdline: 'gunicorn .*billing'}, got nothing")
        return None
    name = keys["name"].text() if "name" in keys else None
    if "name" not in keys:
        item.mistake("expected the key name")
    patterns = {fact: _pattern(keys[fact]) for fact in FACTS if fact in keys}
    if not patterns:
        item.mistake(f"expected at least one of {', '.join(FACTS)}")
    good = {fact: pattern for fact, pattern in patterns.items() if pattern is not None}
    if name is None or not patterns or len(good) < len(patterns):
        return None
    problem = _name_problem(name, list(good.values()))
    if problem:
        keys["name"].mistake(problem)
        return None
    return Rule(name, **good)


def _pattern(value: Value) -> re.Pattern[str] | None:
    text = value.text()
    if text is None:
        return None
    problem = pattern_problem(text)
    if not problem and len(text) > _LONGEST_PATTERN:
        problem = f"expected at most {_LONGEST_PATTERN} characters, got {len(text)}"
    if problem:
        value.mistake(problem)
        return None
    return re.compile(text)


def _name_problem(name: str, patterns: list[re.Pattern[str]]) -> str:
    """Why this cannot be the name of programs; "" when it can. It may refer to groups of the first pattern with any."""
    if len(name) > _LONGEST_NAME:
        return f"expected at most {_LONGEST_NAME} characters, got {len(name)}"
    if not name.isprintable():
        return "expected a name without control characters"
    grouped = next((pattern for pattern in patterns if pattern.groups), None)
    if grouped is None:
        return f'"{shorten(name)}" refers to a group, but no pattern has one' if "\\" in name else ""
    try:
        # The empty alternative always matches, with every group unset: enough to have the name's references checked.
        re.compile(f"{grouped.pattern}\n|", grouped.flags).sub(name, "")
    except (re.error, IndexError) as exc:
        return f'"{shorten(name)}" cannot be made from the pattern\'s groups: {exc}'
    return ""
