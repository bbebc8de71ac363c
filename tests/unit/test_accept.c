/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/accept.h"
#include "unit.h"

enum { PLAIN, HTML, HTML_1, JSON, NONE };

static const char *const offers[] = {
    [PLAIN] = "text/plain; charset=utf-8",
    [HTML] = "text/html",
    [HTML_1] = "text/html; level=1; charset=utf-8",
    [JSON] = "application/json",
};

struct accept_case {
    const char *header;
    size_t choice;
};

static void assert_choices(const struct accept_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t found = accept_choose(cases[i].header, offers, COUNT_OF(offers));
        if (found != cases[i].choice)
            fail_msg("Accept: %s: offer %zu instead of %zu", cases[i].header, found,
                     cases[i].choice);
    }
}

TEST(test_accept__the_highest_weight_wins)
{
    static const struct accept_case cases[] = {
        {"text/html;q=0.5, application/json;q=0.6", JSON},
        {"application/json;q=0.5, text/html;q=0.6", HTML},
        {"text/html;q=0.1, application/json;q=0.101", JSON},
        {"text/html;q=0.999, application/json", JSON},
        {"text/html;q=0.999, application/json;q=1.000", JSON},
        {"text/html;q=0.001, application/json;q=0", HTML},
        {"application/json;q=0.001", JSON},
        /* RFC 9110's own examples */
        {"text/plain; q=0.5, text/html, text/x-dvi; q=0.8, text/x-c", HTML},
        {"audio/*; q=0.2, audio/basic", NONE},
    };
    assert_choices(cases, COUNT_OF(cases));
}

TEST(test_accept__of_equal_weights_the_first_offer_is_chosen)
{
    static const struct accept_case cases[] = {
        {"*/*", PLAIN},
        {"application/json, text/html, text/plain", PLAIN},
        {"application/json, text/html", HTML},
        {"application/json;q=0.3, text/html;q=0.30", HTML},
    };
    assert_choices(cases, COUNT_OF(cases));
}

TEST(test_accept__the_most_specific_range_counts)
{
    static const struct accept_case cases[] = {
        {"*/*;q=0.9, text/*;q=0.1", JSON},
        {"text/*;q=0.1, */*;q=0.9", JSON},
        {"text/*, text/plain;q=0.5", HTML},
        {"text/plain;q=0.5, text/*", HTML},
        {"text/*;q=0.3, text/html;q=0.7, text/html;level=1", HTML_1},
        {"text/html;level=1;q=0, text/html", HTML},
        {"text/html, text/html;level=1;charset=utf-8;q=0.1, text/html;level=1;q=0.2, */*;q=0.05",
         HTML},
        {"*/*;charset=utf-8;q=0.4, text/*;q=0.3", PLAIN},
        {"*/*;charset=utf-8, application/*;q=0.3, text/*;q=0.2", JSON},
        {"*/*, text/*;q=0, application/json;q=0", NONE},
        {"*/*, text/plain;q=0", HTML},
    };
    /* "every parameter more" goes for what is refused, too */
    assert_choices(cases, COUNT_OF(cases));
}

TEST(test_accept__parameters_must_be_ours)
{
    static const struct accept_case cases[] = {
        {"text/plain;charset=utf-8", PLAIN},
        {"text/plain;charset=UTF-8", PLAIN},
        {"text/plain;CharSet=utf-8", PLAIN},
        {"text/plain;charset=\"utf-8\"", PLAIN},
        {"text/plain;charset=\"u\\tf-8\"", PLAIN},
        {"text/plain;charset=latin1", NONE},
        {"text/plain;charset=utf-80", NONE},
        {"text/plain;charset=utf", NONE},
        {"text/plain;charset=\"\"", NONE},
        {"text/plain;format=flowed", NONE},
        {"text/html;charset=utf-8", HTML_1},
        {"text/html;charset=utf-8;level=1", HTML_1},
        {"text/html;level=1;level=2", NONE},
        {"application/json;charset=utf-8", NONE},
        {"text/plain;charset="
         "utf-8utf-8utf-8utf-8utf-8utf-8utf-8utf-8utf-8utf-8utf-8utf-8utf-8utf-8utf-8",
         NONE},
    };
    assert_choices(cases, COUNT_OF(cases));
}

TEST(test_accept__the_weight_may_stand_before_parameters)
{
    static const struct accept_case cases[] = {
        {"text/html;q=0.2;level=1, application/json;q=0.1", HTML_1},
        {"text/html;Q=0.2, application/json;q=0.3", JSON},
    };
    assert_choices(cases, COUNT_OF(cases));
}

TEST(test_accept__blanks_and_empty_elements_are_allowed)
{
    static const struct accept_case cases[] = {
        {" \ttext/html \t;\t q=0.5 , application/json\t; q=0.4 ", HTML},
        {",, ,text/html,, application/json;q=0.4,", HTML},
        {"text/html;;;q=0.5;, application/json;q=0.4", HTML},
        {"text/html ; level=1 ;", HTML_1},
    };
    assert_choices(cases, COUNT_OF(cases));
}

TEST(test_accept__names_have_no_case)
{
    static const struct accept_case cases[] = {
        {"TEXT/HTML", HTML}, {"Application/JSON", JSON}, {"text/htm", NONE},
        {"tex/html", NONE},  {"text/htmlx", NONE},
    };
    assert_choices(cases, COUNT_OF(cases));
}

TEST(test_accept__nothing_suits)
{
    static const struct accept_case cases[] = {
        {NULL, NONE},
        {"", NONE},
        {" , ,", NONE},
        {"image/png", NONE},
        {"text/html;q=0", NONE},
        {"*/*;q=0.000", NONE},
        {"image/*", NONE},
    };
    assert_choices(cases, COUNT_OF(cases));
}

/* Each would be HTML if the malformed part were read kindly. */
TEST(test_accept__a_malformed_header_chooses_nothing)
{
    static const char *const parts[] = {
        "text",
        "text/",
        "/html",
        "text /html",
        "text/ html",
        "text/html/x",
        "*",
        "*/html",
        "*; q=.2",
        "text/html text/plain",
        "text/html;q",
        "text/html;q=",
        "text/html;=1",
        "text/html;q =1",
        "text/html;q= 1",
        "text/html;q=.5",
        "text/html;q=1.1",
        "text/html;q=1.001",
        "text/html;q=2",
        "text/html;q=-1",
        "text/html;q=00",
        "text/html;q=0.1234",
        "text/html;q=0,5",
        "text/html;q=0.5x",
        "text/html;q=1e0",
        "text/html;q=\"1\"",
        "text/html;q=0.5;q=0.5",
        "text/html;level=\"1",
        "text/html;level=\"1\\",
        "text/html;level=\"1\x01\"",
        "text/html;level=\"1\\\x7f\"",
        "text/html;level=\"1\"x",
        "text/html;level=1\x80",
        "text/html:level=1",
        "text/html;level=1 level=2",
        "(text/html)",
    };
    char header[256];
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        assert_int_equal(accept_choose(parts[i], offers, COUNT_OF(offers)), NONE);
        (void)snprintf(header, sizeof header, "text/html, %s", parts[i]);
        if (accept_choose(header, offers, COUNT_OF(offers)) != NONE)
            fail_msg("Accept: %s: is taken", header);
        (void)snprintf(header, sizeof header, "%s, text/html", parts[i]);
        if (accept_choose(header, offers, COUNT_OF(offers)) != NONE)
            fail_msg("Accept: %s: is taken", header);
    }
}

TEST(test_accept__weights_are_exact)
{
    static const char *const good[] = {"0.5", "0.50", "0.500", "1",    "1.",
                                       "1.0", "1.00", "1.000", "0.001"};
    char header[64];
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        (void)snprintf(header, sizeof header, "application/json;q=%s", good[i]);
        if (accept_choose(header, offers, COUNT_OF(offers)) != JSON)
            fail_msg("q=%s is refused", good[i]);
    }
    for (int low = 0; low < 1000; low++) {
        (void)snprintf(header, sizeof header, "text/html;q=0.%03d,application/json;q=%d.%03d", low,
                       low == 999, (low + 1) % 1000);
        assert_int_equal(accept_choose(header, offers, COUNT_OF(offers)), JSON);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept__the_highest_weight_wins),
        cmocka_unit_test(test_accept__of_equal_weights_the_first_offer_is_chosen),
        cmocka_unit_test(test_accept__the_most_specific_range_counts),
        cmocka_unit_test(test_accept__parameters_must_be_ours),
        cmocka_unit_test(test_accept__the_weight_may_stand_before_parameters),
        cmocka_unit_test(test_accept__blanks_and_empty_elements_are_allowed),
        cmocka_unit_test(test_accept__names_have_no_case),
        cmocka_unit_test(test_accept__nothing_suits),
        cmocka_unit_test(test_accept__a_malformed_header_chooses_nothing),
        cmocka_unit_test(test_accept__weights_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
