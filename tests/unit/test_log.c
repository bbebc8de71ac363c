/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "unit.h"

static char captured[128 * 1024]; /* more than a pipe holds */
static int saved_stderr, reader;

static int begin(void **state)
{
    (void)state;
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    reader = ends[0];
    saved_stderr = dup(STDERR_FILENO);
    (void)dup2(ends[1], STDERR_FILENO);
    (void)close(ends[1]);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    return 0;
}

/* Gives standard error back and returns what went to it meanwhile. */
static const char *written(void)
{
    (void)dup2(saved_stderr, STDERR_FILENO);
    ssize_t n = 0;
    size_t len = 0;
    while ((n = read(reader, captured + len, sizeof captured - 1 - len)) > 0)
        len += (size_t)n;
    captured[len] = '\0';
    return captured;
}

static int end(void **state)
{
    (void)state;
    (void)dup2(saved_stderr, STDERR_FILENO);
    (void)close(saved_stderr);
    (void)close(reader);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    return 0;
}

/* The line behind its time, which is checked. */
static const char *untimed(const char *line)
{
    static const char form[] = "ts=dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; i < sizeof form - 1; i++) {
        if (form[i] == 'd')
            assert_in_range(line[i], '0', '9');
        else
            assert_int_equal(line[i], form[i]);
    }
    return line + sizeof form - 1;
}

static size_t lines_in(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

TEST(test_log__writes_logfmt)
{
    LOG_INFO("cluster changed", F_STR("cluster", "a"), F_INT("count", -3));
    assert_string_equal(untimed(written()),
                        "level=info msg=\"cluster changed\" cluster=a count=-3\n");
}

TEST(test_log__names_each_level)
{
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
    LOG_DEBUG("x", F_INT("n", 1));
    LOG_WARN("x", F_INT("n", 1));
    LOG_ERROR("x", F_INT("n", 1));
    const char *text = written();
    assert_non_null(strstr(text, "level=debug"));
    assert_non_null(strstr(text, "level=warn"));
    assert_non_null(strstr(text, "level=error"));
}

TEST(test_log__drops_what_is_below_the_level)
{
    log_configure(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT);
    LOG_DEBUG("x", F_INT("n", 1));
    LOG_INFO("x", F_INT("n", 1));
    assert_string_equal(written(), "");
}

TEST(test_log__quotes_what_is_not_a_plain_word)
{
    LOG_INFO("x", F_STR("empty", ""), F_STR("blank", "a b"), F_STR("equals", "a=b"));
    assert_non_null(strstr(written(), "empty=\"\" blank=\"a b\" equals=\"a=b\"\n"));
}

TEST(test_log__a_value_cannot_end_its_line)
{
    LOG_INFO("x", F_STR("v", "a\nlevel=error msg=forged\r"));
    const char *text = written();
    assert_int_equal(lines_in(text), 1);
    assert_non_null(strstr(text, "v=\"a\\u000alevel=error msg=forged\\u000d\""));
}

TEST(test_log__a_value_cannot_end_its_quotes)
{
    LOG_INFO("x", F_STR("v", "a\" other=\"b\\"));
    assert_non_null(strstr(written(), "v=\"a\\\" other=\\\"b\\\\\"\n"));
}

TEST(test_log__is_ascii_whatever_a_peer_says)
{
    char all[256];
    for (size_t i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    all[255] = '\0';
    LOG_INFO("x", F_STR("v", all));
    for (const char *c = written(); *c != '\0'; c++)
        assert_true(*c == '\n' || (*c >= 0x20 && *c < 0x7f));
}

TEST(test_log__cuts_a_long_value)
{
    char big[5000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    LOG_INFO("x", F_STR("big", big), F_STR("after", "b"));
    const char *text = written();
    assert_true(strlen(text) < 1300);
    assert_non_null(strstr(text, "xxx...\" after=b\n"));
}

TEST(test_log__keeps_a_list_of_forty_addresses_whole)
{
    char list[1024] = "";
    size_t len = 0;
    for (int i = 10; i < 50; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "192.168.100.%d:10911;", i);
    LOG_INFO("x", F_STR("list", list));
    assert_non_null(strstr(written(), list));
}

TEST(test_log__is_one_line_however_much_there_is)
{
    char big[3000];
    memset(big, '\n', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    LOG_INFO("x", F_STR("a", big), F_STR("b", big), F_STR("c", big), F_STR("d", big),
             F_STR("e", big), F_STR("f", big));
    const char *text = written();
    assert_int_equal(lines_in(text), 1);
    assert_true(strlen(text) <= 4096);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static cJSON *parse_line(const char *text)
{
    cJSON *line = cJSON_Parse(text);
    assert_true(cJSON_IsObject(line));
    return line;
}

TEST(test_log__writes_json_objects)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_WARN("hello you", F_STR("text", "a\"b\\c\nd\x01\xff"), F_INT("n", 42));
    const char *text = written();
    assert_int_equal(lines_in(text), 1);
    cJSON *line = parse_line(text);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(line, "level")), "warn");
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(line, "msg")), "hello you");
    assert_int_equal(cJSON_GetObjectItem(line, "n")->valueint, 42);
    /* A byte beyond ASCII becomes the character of that number. */
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(line, "text")),
                        "a\"b\\c\nd\x01\xc3\xbf");
    cJSON_Delete(line);
}

TEST(test_log__json_stays_valid_when_values_are_cut)
{
    char big[5000];
    memset(big, '"', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_INFO("x", F_STR("a", big), F_STR("b", big), F_STR("why", "enough"));
    cJSON *line = parse_line(written());
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(line, "why")), "enough");
    cJSON_Delete(line);
}

TEST(test_log__leaves_errno_alone)
{
    errno = ENOENT;
    LOG_INFO("x", F_INT("n", 1));
    int after = errno;
    (void)written();
    assert_int_equal(after, ENOENT);
}
/* -- text of peers --------------------------------------------------------------------------- */

TEST(test_log__keeps_valid_utf8)
{
    static const char name[] = "集群-ü-🚀";
    LOG_INFO("x", F_STR("v", name));
    assert_non_null(strstr(written(), name));
}

/* Next line (C1), line and paragraph separators, marks and overrides of the direction, BOM. */
TEST(test_log__escapes_characters_that_end_a_line_or_turn_it_around)
{
    LOG_INFO("x",
             F_STR("v", "\u00a0|\xc2\x85|\u2028|\u2029|\u202a|\u202e|\u2066|\u2069|\u200f|\ufeff"));
    assert_non_null(strstr(written(), "v=\"\u00a0|\\u0085|\\u2028|\\u2029|\\u202a|\\u202e|\\u2066|"
                                      "\\u2069|\\u200f|\\ufeff\"\n"));
}

TEST(test_log__escapes_characters_that_do_not_show)
{
    LOG_INFO("x", F_STR("v", "\u00ad|\u200b|\u200d|\u2060|\u2065|\xf3\xa0\x81\x81"));
    assert_non_null(
        strstr(written(), "v=\"\\u00ad|\\u200b|\\u200d|\\u2060|\\u2065|\\udb40\\udc41\"\n"));
}

TEST(test_log__escapes_bytes_that_are_no_character)
{
    /* Cut, overlong, a surrogate, too large, a lonely byte. */
    LOG_INFO("x", F_STR("v", "\xe9\x9b|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xff"));
    assert_non_null(strstr(written(), "v=\"\\u00e9\\u009b|\\u00c0\\u00af|\\u00ed\\u00a0\\u0080|"
                                      "\\u00f4\\u0090\\u0080\\u0080|\\u00ff\"\n"));
}

TEST(test_log__cuts_between_two_characters)
{
    for (size_t lead = 0; lead < 4; lead++) {
        char big[3000];
        size_t len = 0;
        memset(big, 'x', lead);
        for (len = lead; len + 4 < sizeof big; len += 4)
            memcpy(big + len, "🚀", 4);
        big[len] = '\0';
        LOG_INFO("x", F_STR("v", big));
    }
    const char *text = written();
    size_t cuts = 0;
    for (const char *at = text; (at = strstr(at, "...\"")) != NULL; at++)
        cuts += memcmp(at - 4, "🚀", 4) == 0;
    assert_int_equal(cuts, 4);
    assert_null(strstr(text, "\\u"));
}

TEST(test_log__json_can_be_read_whatever_a_peer_says)
{
    unsigned seed = 1;
    for (int round = 0; round < 3000; round++) {
        char bytes[40];
        size_t len = (size_t)round % (sizeof bytes - 1);
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1103515245 + 12345;
            bytes[i] = (char)(1 + (seed >> 16) % 255);
        }
        bytes[len] = '\0';
        log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        LOG_INFO("x", F_STR("v", bytes));
        char line[1024];
        ssize_t n = read(reader, line, sizeof line);
        assert_true(n > 0 && line[n - 1] == '\n');
        cJSON *json = cJSON_ParseWithLength(line, (size_t)n);
        if (json == NULL)
            fail_msg("%.*s", (int)n, line);
        cJSON_Delete(json);
        assert_ptr_equal(memchr(line, '\n', (size_t)n), line + n - 1);
    }
}

TEST(test_log__a_field_of_nothing_is_left_out)
{
    LOG_INFO("x", F_SOME("left_out", 0), F_SOME("more", 2));
    assert_non_null(strstr(written(), "msg=x more=2\n"));
}

/* -- the journal ----------------------------------------------------------------------------- */

static void say_journal(const char *extra)
{
    struct stat st;
    char stream[64];
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    (void)snprintf(stream, sizeof stream, "%ju:%ju%s", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
                   extra);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    log_open();
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
}

TEST(test_log__lines_for_the_journal_have_their_level_in_front)
{
    say_journal("");
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
    LOG_DEBUG("x", F_INT("n", 1));
    LOG_INFO("x", F_INT("n", 1));
    LOG_WARN("x", F_INT("n", 1));
    LOG_ERROR("x", F_INT("n", 1));
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    LOG_INFO("x", F_INT("n", 1));
    log_open();
    LOG_INFO("x", F_INT("n", 1));
    const char *text = written();
    assert_int_equal(strncmp(text, "<7>ts=", 6), 0);
    assert_non_null(strstr(text, "\n<6>ts="));
    assert_non_null(strstr(text, "\n<4>ts="));
    assert_non_null(strstr(text, "\n<3>ts="));
    assert_non_null(strstr(text, "\n<6>{\"ts\":"));
    assert_non_null(strstr(text, "\n{\"ts\":"));
}

TEST(test_log__what_is_not_the_journal_has_no_level_in_front)
{
    say_journal("0");
    assert_string_equal(log_prefix(LOG_LEVEL_ERROR), "");
    say_journal("x");
    assert_string_equal(log_prefix(LOG_LEVEL_ERROR), "");
    assert_int_equal(setenv("JOURNAL_STREAM", "", 1), 0);
    log_open();
    assert_string_equal(log_prefix(LOG_LEVEL_ERROR), "");
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
}

/* -- how often ------------------------------------------------------------------------------- */

#define NOW INT64_C(1000000)

TEST(test_log__a_limit_lets_some_through_and_counts_the_rest)
{
    struct log_limit limit = {0};
    unsigned left_out = 7;
    assert_true(log_limit_pass(&limit, 2, NOW, &left_out));
    assert_int_equal(left_out, 0);
    assert_true(log_limit_pass(&limit, 2, NOW, &left_out));
    for (int i = 0; i < 5; i++)
        assert_false(log_limit_pass(&limit, 2, NOW + LOG_LIMIT_MS - 1, &left_out));
    assert_true(log_limit_pass(&limit, 2, NOW + LOG_LIMIT_MS, &left_out));
    assert_int_equal(left_out, 5);
    assert_true(log_limit_pass(&limit, 2, NOW + LOG_LIMIT_MS, &left_out));
    assert_int_equal(left_out, 0);
}

TEST(test_log__a_complaint_is_made_once_and_its_end_only_after_it)
{
    struct log_complaint complaint = {.told = false};
    unsigned left_out;
    assert_false(log_complaint_ends(&complaint));
    assert_true(log_complaint_begins(&complaint, NOW, &left_out));
    assert_false(log_complaint_begins(&complaint, NOW + 1, &left_out));
    assert_true(log_complaint_ends(&complaint));
    assert_false(log_complaint_ends(&complaint));
}

/* It comes and goes, then it stays: the last word is true a minute later at most. */
TEST(test_log__a_complaint_that_comes_and_goes_is_held_to_a_rate)
{
    struct log_complaint complaint = {.told = false};
    unsigned left_out, said = 0, ended = 0;
    for (int i = 0; i < 100; i++) {
        said += log_complaint_begins(&complaint, NOW + i, &left_out);
        ended += log_complaint_ends(&complaint);
    }
    assert_int_equal(said, 10);
    assert_int_equal(ended, 10);
    assert_false(log_complaint_begins(&complaint, NOW + LOG_LIMIT_MS - 1, &left_out));
    assert_true(log_complaint_begins(&complaint, NOW + LOG_LIMIT_MS, &left_out));
    assert_int_equal(left_out, 91);
    assert_true(log_complaint_ends(&complaint));
}

/* -- nobody reads ---------------------------------------------------------------------------- */

/* Fills the pipe with lines until some are dropped; returns how many were. */
static uint64_t overflow(const char *filler)
{
    uint64_t before = log_lines_dropped();
    for (int i = 0; i < 1000 && log_lines_dropped() < before + 3; i++)
        LOG_INFO("x", F_STR("filler", filler));
    return log_lines_dropped() - before;
}

TEST(test_log__lines_without_room_are_dropped_and_counted)
{
    char filler[1000] = "";
    memset(filler, 'x', sizeof filler - 1);
    assert_int_equal(overflow(filler), 3);
    assert_true(read(reader, captured, sizeof captured) > 0);
    LOG_INFO("first", F_INT("n", 1));
    LOG_INFO("second", F_INT("n", 2));
    const char *text = written();
    assert_non_null(strstr(text, "level=info msg=first lines_dropped=3 n=1\n"));
    assert_non_null(strstr(text, "level=info msg=second n=2\n"));
}

TEST(test_log__a_reader_that_is_gone_costs_lines_only)
{
    uint64_t before = log_lines_dropped();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)close(reader);
    LOG_INFO("x", F_INT("n", 1));
    LOG_INFO("x", F_INT("n", 1));
    assert_int_equal(log_lines_dropped() - before, 2);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    reader = ends[0];
    (void)dup2(ends[1], STDERR_FILENO);
    (void)close(ends[1]);
    LOG_INFO("x", F_INT("n", 3));
    assert_non_null(strstr(written(), "msg=x lines_dropped=2 n=3\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log__writes_logfmt, begin, end),
        cmocka_unit_test_setup_teardown(test_log__names_each_level, begin, end),
        cmocka_unit_test_setup_teardown(test_log__drops_what_is_below_the_level, begin, end),
        cmocka_unit_test_setup_teardown(test_log__quotes_what_is_not_a_plain_word, begin, end),
        cmocka_unit_test_setup_teardown(test_log__a_value_cannot_end_its_line, begin, end),
        cmocka_unit_test_setup_teardown(test_log__a_value_cannot_end_its_quotes, begin, end),
        cmocka_unit_test_setup_teardown(test_log__is_ascii_whatever_a_peer_says, begin, end),
        cmocka_unit_test_setup_teardown(test_log__cuts_a_long_value, begin, end),
        cmocka_unit_test_setup_teardown(test_log__keeps_a_list_of_forty_addresses_whole, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_log__is_one_line_however_much_there_is, begin, end),
        cmocka_unit_test_setup_teardown(test_log__writes_json_objects, begin, end),
        cmocka_unit_test_setup_teardown(test_log__json_stays_valid_when_values_are_cut, begin, end),
        cmocka_unit_test_setup_teardown(test_log__leaves_errno_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_log__keeps_valid_utf8, begin, end),
        cmocka_unit_test_setup_teardown(
            test_log__escapes_characters_that_end_a_line_or_turn_it_around, begin, end),
        cmocka_unit_test_setup_teardown(test_log__escapes_characters_that_do_not_show, begin, end),
        cmocka_unit_test_setup_teardown(test_log__escapes_bytes_that_are_no_character, begin, end),
        cmocka_unit_test_setup_teardown(test_log__cuts_between_two_characters, begin, end),
        cmocka_unit_test_setup_teardown(test_log__json_can_be_read_whatever_a_peer_says, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_log__a_field_of_nothing_is_left_out, begin, end),
        cmocka_unit_test_setup_teardown(test_log__lines_for_the_journal_have_their_level_in_front,
                                        begin, end),
        cmocka_unit_test_setup_teardown(test_log__what_is_not_the_journal_has_no_level_in_front,
                                        begin, end),
        cmocka_unit_test_setup_teardown(test_log__a_limit_lets_some_through_and_counts_the_rest,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            test_log__a_complaint_is_made_once_and_its_end_only_after_it, begin, end),
        cmocka_unit_test_setup_teardown(test_log__a_complaint_that_comes_and_goes_is_held_to_a_rate,
                                        begin, end),
        cmocka_unit_test_setup_teardown(test_log__lines_without_room_are_dropped_and_counted, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_log__a_reader_that_is_gone_costs_lines_only, begin,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
