# SPDX-License-Identifier: Apache-2.0
"""The validator finds what is broken, and finds nothing in what only looks broken.

Each history is written without its first lines: options, start, and a names reply at 0. `A` is short for the
address 10.0.0.1:9876, `B` for 10.0.0.2:9876 and so on. The delays are settle 100, leave 1000, gone 3000.
"""

import io
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import history
import validator

ADDRESSES = {letter: f"10.0.0.{number}:9876" for number, letter in enumerate("ABCDEFGH", 1)}


def written(text, state="yes", slack=0, more=""):
    text = re.sub(r"(?<![\w-])[A-H](?![\w-])", lambda match: ADDRESSES[match.group()], text)
    events = [line.strip() for line in text.strip().splitlines()]
    return [f"0 options test settle=100 leave=1000 gone=3000 state={state} slack={slack}{more}", "0 start",
            "0 names 0 5 a,b", *(line for line in events if line)]


def promises(text, **options):
    return sorted({violation.promise for violation in validator.validate(written(text, **options))})


# Three of four clusters lose a member at once, and an authoritative read confirms it after the leave delay.
MASS_LOSS = "".join(
    f"""{10 + n} says {c} 0 read 5 10.0.{n}.1:1=good,10.0.{n}.2:1=good
        {10 + n} serves {c} {10 + n} 200 live 10.0.{n}.1:1;10.0.{n}.2:1
    """ for n, c in enumerate("abcd"))
MASS_LOSS += "".join(f"{20 + n} says {c} 15 watch 6 10.0.{n}.1:1=good,10.0.{n}.2:1=bad\n" for n, c in enumerate("abc"))
MASS_LOSS += "".join(f"{1100 + n} says {c} {1090 + n} read 6 10.0.{n}.1:1=good,10.0.{n}.2:1=bad\n"
                     for n, c in enumerate("abc"))

# One member has been leaving for its delay when three of four clusters lose one, its own as the last of them.
MASS_LOSS_BY_A_READ = "".join(
    f"""{10 + n} says {c} 0 read 5 10.0.{n}.1:1=good,10.0.{n}.2:1=good,10.0.{n}.3:1=good
        {10 + n} serves {c} {10 + n} 200 live 10.0.{n}.1:1;10.0.{n}.2:1;10.0.{n}.3:1
    """ for n, c in enumerate("abcd"))
MASS_LOSS_BY_A_READ += """
        20 says a 15 watch 6 10.0.0.1:1=good,10.0.0.2:1=bad,10.0.0.3:1=good
        1090 says b 15 watch 7 10.0.1.1:1=good,10.0.1.2:1=good,10.0.1.3:1=bad
        1091 says c 15 watch 8 10.0.2.1:1=good,10.0.2.2:1=good,10.0.2.3:1=bad
        1100 says a 1095 read 8 10.0.0.1:1=good,10.0.0.2:1=bad,10.0.0.3:1=bad"""

# Four clusters were served before a restart; three of them lose a member while it begins to read anew.
LOSS_AFTER_RESTART = "".join(
    f"""{10 + n} says {c} 0 read 5 10.0.{n}.1:1=good,10.0.{n}.2:1=good
        {10 + n} serves {c} {10 + n} 200 live 10.0.{n}.1:1;10.0.{n}.2:1
    """ for n, c in enumerate("abcd"))
LOSS_AFTER_RESTART += "20 kill\n30 start\n"
LOSS_AFTER_RESTART += "".join(f"30 serves {c} 30 200 restored 10.0.{n}.1:1;10.0.{n}.2:1\n"
                              for n, c in enumerate("abcd"))
LOSS_AFTER_RESTART += "".join(f"""{40 + n} says {c} 31 read 5 10.0.{n}.1:1=good,10.0.{n}.2:1=bad
        {40 + n} serves {c} {40 + n} 200 live 10.0.{n}.1:1;10.0.{n}.2:1
    """ for n, c in enumerate("abc"))
LOSS_AFTER_RESTART += "".join(f"{1050 + n} says {c} 1049 read 5 10.0.{n}.1:1=good,10.0.{n}.2:1=bad\n"
                              for n, c in enumerate("abc"))

# Of four clusters one has ended, then the three that are left lose a member each: too few for a mass loss.
LOSS_OF_THREE = "".join(
    f"""{10 + n} says {c} 0 read 5 10.0.{n}.1:1=good,10.0.{n}.2:1=good
        {10 + n} serves {c} {10 + n} 200 live 10.0.{n}.1:1;10.0.{n}.2:1
    """ for n, c in enumerate("abcd"))
LOSS_OF_THREE += """
        20 says d 14 read 6 -
        20 serves d 20 200 held 10.0.3.1:1;10.0.3.2:1
        130 says d 130 read 6 -
        3130 says d 3130 read 6 -
        3130 serves d 3130 404 - -
        3131 serves d 3131 404 - -
"""
LOSS_OF_THREE += "".join(f"{4000 + n} says {c} 15 watch 6 10.0.{n}.1:1=good,10.0.{n}.2:1=bad\n"
                         for n, c in enumerate("abc"))

# A view of all clusters shows checks that fail, of all but one or of half of the clusters; one was read, and stays.
LOSS_IN_VIEW = "".join(
    f"""{10 + n} says {c} 0 read 5 10.0.{n}.1:1=good,10.0.{n}.2:1=good
        {10 + n} serves {c} {10 + n} 200 live 10.0.{n}.1:1;10.0.{n}.2:1
    """ for n, c in enumerate("abcd"))
LOSS_IN_VIEW += """
        15 view critical 14 5 -
        20 view critical 15 6 a=1,b=2,c=1
        25 says a 20 read 6 10.0.0.1:1=good,10.0.0.2:1=bad
        2100 says a 2090 read 6 10.0.0.1:1=good,10.0.0.2:1=bad
        2110 serves a 2110 200 live 10.0.0.1:1;10.0.0.2:1"""

# (what it is, promise, history)
BROKEN = [
    ("a 200 without a list", "P1 P3", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live -"""),
    ("an error with a body", "P1", """
        10 says a 0 read 5 A=good
        10 serves a 10 503 - A"""),
    ("another status", "P1", """
        10 serves a 10 500 - -"""),
    ("an address that was never reported", "P2", """
        10 says a 0 read 5 A=good
        20 serves a 20 200 live A;B"""),
    ("an address that was never good", "P2", """
        10 says a 0 read 5 A=good,B=bad
        20 serves a 20 200 live A;B"""),
    ("an address of the neighbour", "P4", """
        10 says a 0 read 5 A=good
        10 says b 0 read 5 B=good
        20 serves a 20 200 live A;B"""),
    ("two good claims and another address", "P4", """
        10 says a 0 read 5 A=good,B=good
        11 says b 0 read 5 B=good,C=good
        20 serves a 20 200 live A;B"""),
    ("an address that moved, still given by its former cluster", "P4", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good
        21 says b 10 read 6 B=good
        30 serves b 30 200 live B
        40 serves a 40 200 live A;B"""),
    ("gone at once", "P3", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=bad
        20 serves a 20 200 live A"""),
    ("left by a watch", "P3", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=bad
        1020 says a 1020 watch 7 A=good,B=bad
        1020 serves a 1020 200 live A"""),
    ("left by a read that was asked too early", "P3", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=bad
        1030 says a 1019 read 6 A=good,B=bad
        1030 serves a 1030 200 live A"""),
    ("left though it was good in between", "P3", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=bad
        500 says a 500 watch 7 A=good,B=good
        600 says a 600 watch 8 A=good,B=bad
        1030 says a 1030 read 8 A=good,B=bad
        1030 serves a 1030 200 live A"""),
    ("the last one left by health", "P3", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=bad,B=bad
        20 serves a 20 200 held A;B
        1030 says a 1030 read 6 A=bad,B=bad
        1030 serves a 1030 200 held A"""),
    ("left by maintenance before settle", "P3", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=maint
        119 says a 119 read 6 A=good,B=maint
        119 serves a 119 200 live A"""),
    ("out of maintenance and failing has a delay of its own", "P3", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=maint
        50 says a 20 watch 7 A=good,B=bad
        130 says a 120 read 7 A=good,B=bad
        130 serves a 130 200 live A"""),
    ("a new one is not served", "P3", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 says a 10 watch 6 A=good,B=good
        30 serves a 30 200 live A"""),
    ("a new cluster is not served", "P3", """
        10 says a 0 read 5 A=good
        20 serves a 20 503 - -"""),
    ("the answer that stands misses a new one", "P3", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 says a 10 watch 6 A=good,B=good"""),
    ("stays after its delay", "P3", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=bad
        1020 says a 1020 read 6 A=good,B=bad
        1030 serves a 1030 200 live A;B"""),
    ("the answer that stands keeps one after its delay", "P3", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=maint
        120 says a 120 read 6 A=good,B=maint
        500 says b 400 read 6 -"""),
    ("contested before a restart, and served after it", "P4", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        11 says b 0 read 5 B=good,C=good
        11 serves b 11 200 live C
        11 serves a 11 200 live A
        20 kill
        30 start
        30 names 30 5 a,b
        31 says a 30 read 5 A=good,B=good
        31 serves a 31 200 live A;B"""),
    ("contested no longer, still withheld", "P3", """
        10 says a 0 read 5 A=good,B=good
        11 says b 0 read 5 B=good,C=good
        11 serves a 11 200 live A
        20 says b 11 watch 6 C=good
        30 serves a 30 200 live A"""),
    ("mass loss, and one leaves", "P3", MASS_LOSS.replace("1100 says a 1090 read 6 10.0.0.1:1=good,10.0.0.2:1=bad", """
        1100 says a 1090 read 6 10.0.0.1:1=good,10.0.0.2:1=bad
        1100 serves a 1100 200 live 10.0.0.1:1""")),
    ("the read by which one leaves is the one that makes a mass loss", "P3", MASS_LOSS_BY_A_READ + """
        1100 serves a 1100 200 live 10.0.0.1:1;10.0.0.3:1"""),
    ("half of the clusters lose members by a view, and one stays", "P3", LOSS_IN_VIEW.replace(",c=1", "")),
    ("the same view again is no loss", "P3", LOSS_IN_VIEW.replace("14 5 -", "14 5 a=1,b=2,c=1")),
    ("views of different checks are not compared", "P3", LOSS_IN_VIEW.replace("critical 14", "warning 14")),
    ("checks that recover are no loss", "P3", LOSS_IN_VIEW.replace("14 5 -", "14 5 a=1,b=3,c=2")),
    ("too few clusters for a mass loss, and one stays", "P3", LOSS_OF_THREE + """
        5100 says a 5090 read 6 10.0.0.1:1=good,10.0.0.2:1=bad
        5110 serves a 5110 200 live 10.0.0.1:1;10.0.0.2:1"""),
    ("four clusters, and one leaves within a second", "P3", """
        1 says c 0 read 5 C=good
        2 says d 0 read 5 D=good
        3 says b 0 read 5 B=good
        10 says a 0 read 5 A=good,E=good
        10 serves a 10 200 live A;E
        20 says a 10 watch 6 A=good,E=maint
        120 says a 120 read 6 A=good,E=maint
        120 serves a 120 200 live A"""),
    ("held, and the first that recovers sends another away", "P3", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=bad,B=bad
        20 serves a 20 200 held A;B
        2000 says a 2000 read 7 A=good,B=bad
        2000 serves a 2000 200 live A"""),
    ("nothing registered, and the first that is again sends another away", "P3", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 -
        20 serves a 20 200 held A;B
        2000 says a 2000 read 7 A=bad
        2000 serves a 2000 200 held A"""),
    ("two reads in a row say it, with a lower index", "P3", """
        10 says a 0 read 9 A=good
        10 serves a 10 200 live A
        20 says a 10 read 6 A=good,C=good
        30 says a 20 read 7 A=good,C=good
        40 serves a 40 200 live A"""),
    ("comes back by nothing", "P3 P5", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=bad
        1020 says a 1020 read 6 A=good,B=bad
        1020 serves a 1020 200 live A
        1040 serves a 1040 200 live A;B"""),
    ("comes back by a restart", "P5", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=bad
        1020 says a 1020 read 6 A=good,B=bad
        1020 serves a 1020 200 live A
        1040 kill
        1050 start
        1060 serves a 1060 200 restored A;B"""),
    ("lost by a restart", "P3", """
        10 says a 0 read 5 A=good
        20 says a 10 watch 6 A=good,B=good
        20 serves a 20 200 live A;B
        22 kill
        30 start
        40 serves a 40 200 restored A"""),
    ("restored after live", "P5 P7", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        12 serves a 12 200 restored A"""),
    ("sorted as text", "P6", """
        10 says a 0 read 5 10.0.0.10:1=good,10.0.0.9:1=good
        10 serves a 10 200 live 10.0.0.10:1;10.0.0.9:1"""),
    ("the same address twice", "P6", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A;A"""),
    ("IPv6 first", "P6", """
        10 says a 0 read 5 A=good,[2001:db8::1]:1=good
        10 serves a 10 200 live [2001:db8::1]:1;A"""),
    ("something at the end", "P2 P6", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A;"""),
    ("restored and not marked", "P7", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 kill
        30 start
        40 serves a 40 200 live A"""),
    ("live though none is good", "P7", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 says a 10 watch 6 A=bad
        30 serves a 30 200 live A"""),
    ("held though one is good", "P7", """
        10 says a 0 read 5 A=good,B=bad
        20 serves a 20 200 held A"""),
    ("restored though Consul has answered", "P7", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 kill
        30 start
        40 says a 30 read 6 A=good
        50 serves a 50 200 restored A"""),
    ("no answer", "P8", """
        10 says a 0 read 5 A=good
        5011 silent a 11"""),
    ("unknown all at once", "P9", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 serves a 20 404 - -"""),
    ("not ready after a list", "P9", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 serves a 20 503 - -"""),
    ("not ready after a kill", "P9", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 kill
        30 start
        40 serves a 40 503 - -"""),
    ("gone by a single empty read", "P9", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        3020 says a 3010 read 6 -
        3020 serves a 3020 404 - -"""),
    ("gone before the gone delay", "P9", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 says a 10 read 6 -
        20 serves a 20 200 held A
        120 says a 120 read 6 -
        3010 says a 3010 read 6 -
        3010 serves a 3010 404 - -"""),
    ("gone though it was registered in between", "P9", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 says a 10 read 6 -
        20 serves a 20 200 held A
        120 says a 120 read 6 -
        1000 says a 900 watch 7 A=bad
        1500 says a 1100 watch 8 -
        3020 says a 3020 read 8 -
        3020 serves a 3020 404 - -"""),
    ("gone by watches", "P9", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 says a 10 watch 6 -
        20 serves a 20 200 held A
        120 says a 120 watch 6 -
        3020 says a 3020 watch 6 -
        3020 serves a 3020 404 - -"""),
    ("never gone", "P9", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 says a 10 read 6 -
        20 serves a 20 200 held A
        120 says a 120 read 6 -
        3120 says a 3120 read 6 -
        3130 serves a 3130 200 held A"""),
]


@pytest.mark.parametrize("promise, text", [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_what_is_broken_is_found(promise, text):
    assert promises(text) == promise.split()


FINE = [
    ("live, a join and a leave", """
        5 serves a 5 503 - -
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=bad,C=good
        20 serves a 20 200 live A;B;C
        1020 says a 1020 read 6 A=good,B=bad,C=good
        1020 serves a 1020 200 live A;C"""),
    ("back again, because it is good", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=bad
        1020 says a 1020 read 6 A=good,B=bad
        1020 serves a 1020 200 live A
        1040 says a 1030 watch 7 A=good,B=good
        1040 serves a 1040 200 live A;B"""),
    ("into maintenance and out of the list", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=maint
        120 says a 120 read 6 A=good,B=maint
        120 serves a 120 200 live A"""),
    ("out of maintenance by a read that may have been passed over", """
        10 says a 0 read 50 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 51 A=good,B=maint
        30 says a 25 read 5 A=good,B=bad
        60 says a 40 read 5 A=good,B=bad
        1035 says a 1035 read 5 A=good,B=bad
        1035 serves a 1035 200 live A;B"""),
    ("failing, then put in maintenance", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=bad
        500 says a 20 watch 7 A=good,B=maint
        600 says a 600 read 7 A=good,B=maint
        600 serves a 600 200 live A"""),
    ("all unhealthy is held, and a deregistered one leaves", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=bad
        20 serves a 20 200 held A;B
        1020 says a 1020 read 6 A=bad
        1020 serves a 1020 200 held A"""),
    ("held, and the first that recovers does not send the others away", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=bad,B=bad
        20 serves a 20 200 held A;B
        2000 says a 2000 read 7 A=good,B=bad
        2000 serves a 2000 200 live A;B
        3000 says a 3000 read 7 A=good,B=bad
        3000 serves a 3000 200 live A"""),
    ("a ghost beside the living one", """
        10 says a 0 read 5 A=bad,A=good,B=good
        10 serves a 10 200 live A;B"""),
    ("confirmed empty, held, gone, and new", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 says a 10 watch 6 -
        20 serves a 20 200 held A
        30 says a 21 read 6 -
        130 says a 130 read 6 -
        3130 says a 3130 read 6 -
        3130 serves a 3130 404 - -
        4000 serves a 4000 503 - -
        4010 says a 4000 read 7 A=good
        4010 serves a 4010 200 live A"""),
    ("an odd instance is registered: not gone", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 says a 10 read 6 odd=odd
        20 serves a 20 200 held A
        130 says a 130 read 6 odd=odd
        9130 says a 9130 read 6 odd=odd"""),
    ("a contested address is withheld from both", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        11 says b 0 read 5 B=good,C=good
        11 serves b 11 200 live C
        11 serves a 11 200 live A
        20 says b 11 watch 6 C=good
        20 serves a 20 200 live A;B"""),
    ("shared on purpose", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        11 says b 0 read 5 A=good,B=good
        11 serves b 11 200 live A;B"""),
    ("the one that has no other keeps it", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        11 says b 0 read 5 B=good
        11 serves b 11 200 live B
        11 serves a 11 200 live A"""),
    ("contested over a restart", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        11 says b 0 read 5 B=good,C=good
        11 serves b 11 200 live C
        11 serves a 11 200 live A
        20 kill
        30 start
        31 serves a 31 200 restored A
        31 serves b 31 200 restored C"""),
    ("contested over a restart, and only one is read again", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        11 says b 0 read 5 B=good,C=good
        11 serves b 11 200 live C
        11 serves a 11 200 live A
        20 kill
        30 start
        31 says a 30 read 5 A=good,B=good
        31 serves a 31 200 live A
        40 says b 30 read 6 C=good
        40 serves a 40 200 live A;B"""),
    ("mass loss: nobody leaves for half a minute", MASS_LOSS),
    ("mass loss by the read of the last loser", MASS_LOSS_BY_A_READ),
    ("mass loss of restored members", LOSS_AFTER_RESTART),
    ("mass loss by a view of what fails", LOSS_IN_VIEW),
    ("mass loss by two views within a second", LOSS_IN_VIEW.replace("15 6 a=1,b=2,c=1", """15 6 a=1,b=2
        21 view critical 20 6 a=1,b=2,c=1""")),
    ("mass loss by a view of all", LOSS_IN_VIEW.replace("critical 14 5 -", "all 14 5 a=2,b=2,c=2,d=2").replace(
        "critical 15 6 a=1,b=2,c=1", "all 15 6 a=1,b=1,d=2")),
    ("a cluster that has ended does not count for a mass loss", LOSS_OF_THREE + """
        5100 says a 5090 read 6 10.0.0.1:1=good,10.0.0.2:1=bad
        5100 serves a 5100 200 live 10.0.0.1:1"""),
    ("a cluster that is only named may not be there", """
        1 names 0 5 a,b,c,d
        2 says b 0 read 5 B=good
        3 says c 0 read 5 C=good
        10 says a 0 read 5 A=good,E=good
        10 serves a 10 200 live A;E
        20 says a 10 watch 6 A=good,E=maint
        120 says a 120 read 6 A=good,E=maint
        120 serves a 120 200 live A"""),
    ("ended, and new with an index of its own", """
        10 says a 0 read 9 A=good
        10 serves a 10 200 live A
        20 says a 10 read 9 -
        20 serves a 20 200 held A
        130 says a 130 read 9 -
        3130 says a 3130 read 9 -
        3130 serves a 3130 404 - -
        4000 says a 3990 read 6 A=good
        4000 serves a 4000 200 live A
        4010 says a 4000 watch 7 A=good
        4020 says a 4015 read 4 -
        4025 serves a 4025 200 live A
        4030 says a 4025 read 4 -
        4030 serves a 4030 200 held A"""),
    ("unknown, and still unknown", """
        10 says a 0 read 5 A=good
        10 serves a 10 200 live A
        20 says a 10 read 9 -
        20 serves a 20 200 held A
        130 says a 130 read 9 -
        3120 says a 3120 read 9 -
        3125 says a 3120 watch 6 A=good,B=good
        3125 serves a 3125 200 live A;B
        3130 says a 3130 read 9 -
        3130 serves a 3130 404 - -
        3140 serves a 3140 404 - -"""),
    ("held after maintenance, and gone: the delay is the one of maintenance", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=bad,B=maint
        20 serves a 20 200 held A;B
        30 says a 20 watch 7 A=bad
        2000 says a 2000 read 8 A=good
        2000 serves a 2000 200 live A;B
        2100 says a 2100 read 8 A=good
        2100 serves a 2100 200 live A"""),
    ("with so many clusters nobody leaves within a second", """
        1 names 0 5 a,b,c,d
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,B=maint
        120 says a 120 read 6 A=good,B=maint
        1020 says a 1020 read 6 A=good,B=maint
        1020 serves a 1020 200 live A"""),
    ("restored, then confirmed", """
        10 says a 0 read 5 A=good,B=good
        10 serves a 10 200 live A;B
        20 stop
        30 start
        31 serves a 31 200 restored A;B
        40 says a 32 read 5 A=good,B=bad
        40 serves a 40 200 live A;B"""),
    ("a watch of a lower index may be passed over", """
        10 says a 0 read 9 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 6 A=good,C=good
        1030 says a 1030 read 9 A=good,B=good"""),
    ("a read of a lower index may be passed over, the second counts", """
        10 says a 0 read 9 A=good
        10 serves a 10 200 live A
        20 says a 10 read 6 A=good,C=good
        30 says a 20 read 6 A=good,C=good
        30 serves a 30 200 live A;C"""),
    ("a leave by a read of a lower index", """
        10 says a 0 read 9 A=good,B=good
        10 serves a 10 200 live A;B
        20 says a 10 watch 10 A=good,B=bad
        1020 says a 1020 read 6 A=good,B=bad
        1020 serves a 1020 200 live A"""),
    ("no names yet, not ready yet", """
        10 serves c 10 503 - -"""),
    ("another cluster is unknown", """
        10 serves c 10 404 - -"""),
    ("IPv4 first, by number, then IPv6", """
        10 says a 0 read 5 [2001:db8::2]:1=good,10.0.0.10:1=good,10.0.0.9:2=good,10.0.0.9:10=good
        10 serves a 10 200 live 10.0.0.9:2;10.0.0.9:10;10.0.0.10:1;[2001:db8::2]:1"""),
]


@pytest.mark.parametrize("text", [case[1] for case in FINE], ids=[case[0] for case in FINE])
def test_what_only_looks_broken_is_not(text):
    assert promises(text) == []


# Of four clusters one has lost a member; further ones are about to.
LATE_LOSS = "".join(
    f"""{10 + n} says {c} 0 read 5 10.0.{n}.1:1=good,10.0.{n}.2:1=good
        {10 + n} serves {c} {10 + n} 200 live 10.0.{n}.1:1;10.0.{n}.2:1
    """ for n, c in enumerate("abcd"))
LATE_LOSS += "150 says a 30 watch 6 10.0.0.1:1=good,10.0.0.2:1=bad\n"

# With a slack of 100 an answer may know what was handed over before it was given, and must know what was handed
# over 100 before it was asked for.
UNDER_WAY = [
    ("an answer that does not know the reply yet", """
        10 says a 0 read 5 A=good
        200 serves a 190 200 live A
        300 says a 10 watch 6 A=good,B=good
        305 serves a 290 200 live A
        390 serves a 390 200 live A
        395 serves a 394 200 live A;B"""),
    ("a held one that is not marked yet, or already", """
        10 says a 0 read 5 A=good
        200 serves a 190 200 live A
        300 says a 10 watch 6 A=bad
        305 serves a 290 200 held A
        310 serves a 310 200 live A
        500 serves a 500 200 held A"""),
    ("two answers that crossed", """
        10 says a 0 read 5 A=good
        200 serves a 190 200 live A
        300 says a 10 watch 6 A=good,B=good
        310 serves a 301 200 live A;B
        311 serves a 299 200 live A"""),
    ("good again while it is being let go", """
        10 says a 0 read 5 A=good,B=good
        200 serves a 190 200 live A;B
        300 says a 10 watch 6 A=good,B=bad
        1310 says a 1302 read 6 A=good,B=bad
        1320 says a 1305 watch 7 A=good,B=good
        1325 serves a 1324 200 live A
        1330 serves a 1330 200 live A
        1500 serves a 1500 200 live A;B"""),
    ("a read overtaken by the watch", """
        10 says a 0 read 5 A=good,B=good
        200 serves a 190 200 live A;B
        300 says a 10 watch 6 A=good,B=bad
        1450 says a 1420 read 6 A=good,B=bad
        1452 says a 310 watch 7 A=good,B=bad
        1600 serves a 1600 200 live A;B
        1700 says a 1650 read 7 A=good,B=bad
        1900 serves a 1900 200 live A"""),
    ("a read that tells of an earlier recovery, overtaken by the watch", """
        10 says a 0 read 5 A=good,B=good
        200 serves a 190 200 live A;B
        300 says a 10 watch 6 A=good,B=bad
        500 says a 480 read 7 A=good,B=good
        502 says a 310 watch 8 A=good,B=bad
        1310 says a 1305 read 8 A=good,B=bad
        1500 serves a 1500 200 live A"""),
    ("the reply that makes a mass loss is taken after the read by which one leaves", LATE_LOSS + """
        1100 says d 1040 watch 6 10.0.3.1:1=good,10.0.3.2:1=bad
        1125 says c 1040 watch 6 10.0.2.1:1=good,10.0.2.2:1=bad
        1153 says a 1152 read 6 10.0.0.1:1=good,10.0.0.2:1=bad
        1160 serves a 1160 200 live 10.0.0.1:1"""),
    ("the first of a mass loss was taken at once, the last one too late", LATE_LOSS + """
        200 says b 40 watch 6 10.0.1.1:1=good,10.0.1.2:1=bad
        1120 says c 1040 watch 6 10.0.2.1:1=good,10.0.2.2:1=bad
        1300 says a 1290 read 6 10.0.0.1:1=good,10.0.0.2:1=bad
        1310 serves a 1310 200 live 10.0.0.1:1"""),
    ("killed while a reply and an answer were under way", """
        10 says a 0 read 5 A=good
        200 serves a 190 200 live A
        300 says a 10 watch 6 A=good,B=good
        301 kill
        302 serves a 300 200 live A;B
        310 start
        311 says a 10 watch 7 A=good,C=good
        320 serves a 315 200 restored A
        400 serves a 305 200 live A;C"""),
    ("contested, and one of the two does not know it yet", """
        10 says a 0 read 5 A=good,B=good
        200 serves a 190 200 live A;B
        300 says b 10 read 6 B=good,C=good
        310 serves b 310 200 live B;C
        320 serves a 320 200 live A;B
        330 serves a 330 200 live A
        500 serves b 500 200 live C"""),
]


@pytest.mark.parametrize("text", [case[1] for case in UNDER_WAY], ids=[case[0] for case in UNDER_WAY])
def test_what_is_under_way_is_no_alarm(text):
    assert promises(text, slack=100) == []


BROKEN_WITH_SLACK = [
    ("it should know by now that one joined", "P3", """
        10 says a 0 read 5 A=good
        200 serves a 190 200 live A
        300 says a 10 watch 6 A=good,B=good
        410 serves a 401 200 live A"""),
    ("it should know by now that none is good", "P7", """
        10 says a 0 read 5 A=good
        200 serves a 190 200 live A
        300 says a 10 watch 6 A=bad
        410 serves a 401 200 live A"""),
    ("one that was served already is missing, and nothing was said", "P3", """
        10 says a 0 read 5 A=good,B=good
        200 serves a 190 200 live A;B
        210 serves a 205 200 live A"""),
    ("flapping at 10 Hz, and it left", "P3", """
        10 says a 0 read 5 A=good,B=good
        200 serves a 190 200 live A;B
""" + "".join(
        f"{200 + 100 * n} says a {101 + 100 * n} watch {6 + n} A=good,B={'good' if n % 2 else 'bad'}\n"
        for n in range(15)) + "1650 says a 1640 read 30 A=good,B=bad\n1660 serves a 1660 200 live A"),
    ("it should have left by now", "P3", """
        10 says a 0 read 5 A=good,B=good
        200 serves a 190 200 live A;B
        300 says a 10 watch 6 A=good,B=bad
        1450 says a 1420 read 6 A=good,B=bad
        1600 serves a 1600 200 live A;B"""),
]


@pytest.mark.parametrize("promise, text", [case[1:] for case in BROKEN_WITH_SLACK],
                         ids=[case[0] for case in BROKEN_WITH_SLACK])
def test_slack_excuses_no_more_than_it_says(promise, text):
    assert promises(text, slack=100) == [promise]


def test_without_a_state_file_a_restart_begins_anew():
    text = """
        10 says a 0 read 5 A=good
        11 serves a 11 200 live A
        20 kill
        30 start
        40 serves a 40 503 - -"""
    assert promises(text, state="no") == []
    assert promises(text + "\n50 serves a 50 200 restored A", state="no") == ["P2"]


def test_unknown_needs_the_names_to_be_read():
    lines = [line for line in written("10 serves c 10 404 - -") if " names " not in line]
    assert [violation.promise for violation in validator.validate(lines)] == ["P9"]


@pytest.mark.parametrize("answer, found", [
    ("200 live A;B", []), ("200 live A", ["P3"]), ("200 live A;B;C", ["P2"]), ("200 held A;B", ["P7"]),
    ("404 - -", ["P3"]),
])  # fmt: skip
def test_a_static_cluster_is_its_list(answer, found):
    text = f"""
        10 says s 0 read 5 C=good
        20 serves s 20 {answer}"""
    assert promises(text, more=f" static=s:{ADDRESSES['A']};{ADDRESSES['B']}") == found


def test_a_violation_names_the_run_the_promise_and_the_line():
    lines = written("10 serves a 10 500 - -") + written("10 says a 0 read 5 A=good\n20 serves a 20 404 - -")
    lines[4] = lines[4].replace("options test", "options seed-17")
    first, second = validator.validate(lines)
    assert (first.run, first.promise, first.line) == ("test", "P1", 4)
    assert (second.run, second.promise, second.line) == ("seed-17", "P3", 9)


@pytest.mark.parametrize("line", [
    "5 serves a", "nothing", "5 dances", "5 start now", "x start", "5 options seed-1 settle=1",
])  # fmt: skip
def test_what_is_no_history_is_refused(line):
    with pytest.raises(history.BadHistory, match="line 2"):
        list(validator.validate([*written("")[:1], line]))


def test_time_does_not_go_back():
    with pytest.raises(history.BadHistory, match="time goes back"):
        list(validator.validate(written("10 says a 0 read 5 A=good\n9 stop")))


def test_what_is_written_can_be_read():
    stream = io.StringIO()
    options = history.Options("seed-1", 100, 1000, 3000, True, 50, {"s": "10.0.0.1:1"})
    record = history.History(stream, options)
    record.start()
    record.names(0, 5, ["a"])
    record.says("a", 0, "read", 5, [])
    record.says("a", 0, "watch", 6, [("10.0.0.1:9876", history.GOOD), (history.ODD, history.ODD)])
    record.view("critical", 0, 6, {"a": 2, "b": 0})
    record.serves("a", history.now_ms(), 200, "live", "10.0.0.1:9876")
    record.serves("b", history.now_ms(), 404, None, "")
    record.silent("a", 1)
    record.stop()
    events = list(history.read(stream.getvalue().splitlines()))
    assert events[0][3] == options
    assert [word for _, _, word, _ in events] == ["options", "start", "names", "says", "says", "view", "serves",
                                                  "serves", "silent", "stop"]
    assert events[5][3] == ["critical", "0", "6", "a=2"]
    assert events[4][3] == ["a", "0", "watch", "6", "10.0.0.1:9876=good,odd=odd"]


def test_many_threads_write_whole_lines_in_order():
    stream = io.StringIO()
    record = history.History(stream, history.Options("many", 1, 1, 1, False, 1, {}))
    threads = [threading.Thread(target=lambda: [record.silent("a", 1) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(history.read(stream.getvalue().splitlines()))) == 8 * 500 + 1


def test_the_command(tmp_path):
    good, bad, broken = (tmp_path / name for name in ("good", "bad", "broken"))
    good.write_text("\n".join(written("10 says a 0 read 5 A=good\n20 serves a 20 200 live A")))
    bad.write_text("\n".join(written("10 serves a 10 500 - -")))
    broken.write_text("no history")

    def run(*files, given=None):
        command = [sys.executable, Path(validator.__file__), *files]
        return subprocess.run(command, capture_output=True, text=True, input=given, check=False)

    assert run(good).returncode == 0
    assert run(broken).returncode == 2
    result = run(good, bad)
    assert (result.returncode, result.stdout) == (1, f"{bad}: test: line 4: P1: a: status 500\n")
    assert run(given=bad.read_text()).returncode == 1
