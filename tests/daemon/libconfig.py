# SPDX-License-Identifier: Apache-2.0
"""Writes libconfig text from dotted option names."""


def render(options):
    """{"consul.wait": "5s", "listen": "…"} as libconfig groups, in the order given."""
    tree = {}
    for name, value in options.items():
        *groups, leaf = name.split(".")
        node = tree
        for group in groups:
            node = node.setdefault(group, {})
        node[leaf] = value
    return _settings(tree, "")


def _settings(tree, indent):
    return "".join(f"{indent}{name} {_assignment(value, indent)};\n" for name, value in tree.items())


def _assignment(value, indent):
    if isinstance(value, dict):
        return f":\n{indent}{{\n{_settings(value, indent + '    ')}{indent}}}"
    return f"= {_value(value, indent)}"


def _value(value, indent):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if any(isinstance(item, dict) for item in value):
        groups = [f"{{\n{_settings(item, indent + '    ')}{indent}}}" for item in value]
        return f"( {', '.join(groups)} )"
    return f"[ {', '.join(_value(item, indent) for item in value)} ]"
