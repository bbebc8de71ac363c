# SPDX-License-Identifier: Apache-2.0
"""The lints, run over this tree."""
import pytest

import calls
import documents
import includes
import layout
import options
import text
import tools
from tree import ROOT

LINTS = [
    includes.check, calls.check, layout.check, text.check,
    tools.check_format, tools.check_shell, tools.check_tidy, options.check,
    documents.check_man, documents.check_flags, documents.check_links,
    documents.check_messages, documents.check_translations,
]  # fmt: skip


@pytest.mark.parametrize("check", LINTS, ids=lambda c: f"{c.__module__}.{c.__name__}")
def test_the_tree_has_no_findings(check):
    found = sorted(check(ROOT))
    if found:
        pytest.fail("\n".join(str(f) for f in found), pytrace=False)
