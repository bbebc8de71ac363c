/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "consul/check_rows.h"
#include "unit.h"

#define ROW_MAX (1024 * 1024)

static struct check_rows rows;
static struct buf seen; /* "node,check,service id,service,status;" per row */

static void on_row(const struct check_row *row, void *arg)
{
    assert_ptr_equal(arg, &seen);
    assert_true(buf_printf(&seen, "%s,%s,%s,%s,%s;", row->node, row->check_id, row->service_id,
                           row->service, row->status));
}

static int setup(void **state)
{
    (void)state;
    buf_init(&seen, 4 * ROW_MAX);
    check_rows_init(&rows, on_row, &seen);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    check_rows_clear(&rows);
    buf_clear(&seen);
    return 0;
}

/* From the beginning, `first` bytes and then `step` at a time. */
static bool take(const char *text, size_t len, size_t first, size_t step)
{
    check_rows_clear(&rows);
    check_rows_init(&rows, on_row, &seen);
    buf_reset(&seen);
    for (size_t at = 0, size = first; at < len; at += size, size = step) {
        size = size < len - at ? size : len - at;
        char *piece = malloc(size + 1); /* so that a byte too many is seen */
        assert_non_null(piece);
        memcpy(piece, text + at, size);
        bool ok = check_rows_feed(&rows, piece, size);
        free(piece);
        if (!ok)
            return false;
        if (size == 0)
            size = step;
    }
    return check_rows_end(&rows);
}

/* The same wherever it is cut. */
static void assert_rows(const char *text, const char *wanted)
{
    size_t len = strlen(text);
    for (size_t cut = 1; cut <= len; cut++) {
        if (!take(text, len, cut, len))
            fail_msg("cut at %zu: %s", cut, rows.error.text);
        assert_string_equal(buf_text(&seen), wanted);
    }
    assert_true(take(text, len, 1, 1));
    assert_string_equal(buf_text(&seen), wanted);
}

static void assert_refused(const char *text, const char *why)
{
    size_t len = strlen(text);
    for (size_t cut = 1; cut <= len; cut++) {
        assert_false(take(text, len, cut, len));
        assert_says(&rows.error, why);
    }
    assert_false(take(text, len, 1, 1));
    assert_says(&rows.error, why);
}

#define A                                                                                          \
    "{\"Node\":\"n\",\"CheckID\":\"c\",\"Status\":\"passing\",\"ServiceID\":\"i\",\"ServiceName\":\"s\"}"
#define NOT_A_LIST "not in a list of checks as it should be"
#define INCOMPLETE "a member is missing or not the text it should be"

TEST(test_check_rows__a_list_may_be_empty)
{
    assert_rows("[]", "");
    assert_rows(" [\n\t] \r\n", "");
    assert_int_equal(rows.count, 0);
}

TEST(test_check_rows__each_row_is_given_once)
{
    assert_rows("[" A "]", "n,c,i,s,passing;");
    assert_rows("[" A " ,\n" A "," A " ]\n", "n,c,i,s,passing;n,c,i,s,passing;n,c,i,s,passing;");
    assert_int_equal(rows.count, 3);
}

TEST(test_check_rows__a_row_of_consul)
{
    assert_rows(
        "[{\"Node\":\"host1\",\"CheckID\":\"service:w-1\",\"Name\":\"t\",\"Status\":\"critical\",\"Notes\":"
        "\"\",\"Output\":\"x\",\"ServiceID\":\"w-1\",\"ServiceName\":\"nameServer3\","
        "\"ServiceTags\":[\"a\",\"b\"],\"Type\":\"ttl\",\"ExposedPort\":0,\"Definition\":"
        "{\"Header\":{\"x\":[\"]\",\"}\"]}},\"CreateIndex\":10,\"ModifyIndex\":12}]",
        "host1,service:w-1,w-1,nameServer3,critical;");
}

TEST(test_check_rows__what_stands_in_a_text_ends_nothing)
{
    assert_rows(
        "[{\"Node\":\"}{][,\",\"CheckID\":\"\\\"}]\",\"Status\":\"\\\\\",\"Output\":\"\\\\\\\"]\"}]",
        "}{][,,\"}],,,\\;");
    assert_rows("[{\"Node\":\"\\u007d\",\"CheckID\":\"\\u0022\",\"Status\":\"a\"}]", "},\",,,a;");
}

TEST(test_check_rows__a_check_of_a_node_names_no_service)
{
    assert_rows(
        "[{\"Node\":\"n\",\"CheckID\":\"serfHealth\",\"Status\":\"critical\",\"ServiceID\":\"\","
        "\"ServiceName\":\"\"},{\"Node\":\"n\",\"CheckID\":\"x\",\"Status\":\"critical\",\"ServiceID\":null}]",
        "n,serfHealth,,,critical;n,x,,,critical;");
}

TEST(test_check_rows__anything_but_a_list_is_refused)
{
    assert_refused("{}", NOT_A_LIST);
    assert_refused("null", NOT_A_LIST);
    assert_refused("<html>[]</html>", NOT_A_LIST);
    assert_refused("[1]", NOT_A_LIST);
    assert_refused("[[]]", NOT_A_LIST);
    assert_refused("[\"x\"]", NOT_A_LIST);
    assert_refused("]", NOT_A_LIST);
}

TEST(test_check_rows__commas_stand_between_rows_only)
{
    assert_refused("[,]", NOT_A_LIST);
    assert_refused("[" A ",]", NOT_A_LIST);
    assert_refused("[," A "]", NOT_A_LIST);
    assert_refused("[" A ",," A "]", NOT_A_LIST);
    assert_refused("[" A A "]", NOT_A_LIST);
}

TEST(test_check_rows__nothing_may_follow_the_list)
{
    assert_refused("[]]", NOT_A_LIST);
    assert_refused("[] []", NOT_A_LIST);
    assert_refused("[" A "] x", NOT_A_LIST);
}

TEST(test_check_rows__a_list_that_is_cut_is_refused_wherever)
{
    static const char text[] = "[" A "," A "]";
    assert_false(take("", 0, 1, 1));
    for (size_t len = 1; len < sizeof text - 1; len++) {
        assert_false(take(text, len, len, 1));
        assert_says(&rows.error, "the list ends before it");
    }
}

TEST(test_check_rows__the_error_names_the_row)
{
    assert_refused("[" A "," A ",{}]", "check 3 of the reply");
    assert_int_equal(rows.count, 2);
}

TEST(test_check_rows__a_row_that_is_no_json_is_refused)
{
    assert_refused("[{]", "check 1 of the reply: the reply is not complete JSON");
    assert_refused("[{\"Node\":}]", "not complete JSON");
    assert_refused("[{\"Node\":\"n\"\"CheckID\":\"c\"}]", "not complete JSON");
    static const char with_nul[] = "[{\"Node\":\"n\0\"}]";
    assert_false(take(with_nul, sizeof with_nul - 1, 3, 5));
    assert_says(&rows.error, "NUL");
}

TEST(test_check_rows__what_identifies_a_check_must_be_there_and_be_text)
{
    assert_refused("[{\"CheckID\":\"c\",\"Status\":\"passing\"}]", INCOMPLETE);
    assert_refused("[{\"Node\":\"\",\"CheckID\":\"c\",\"Status\":\"passing\"}]", INCOMPLETE);
    assert_refused("[{\"Node\":7,\"CheckID\":\"c\",\"Status\":\"passing\"}]", INCOMPLETE);
    assert_refused("[{\"Node\":\"n\",\"CheckID\":[],\"Status\":\"passing\"}]", INCOMPLETE);
    assert_refused("[{\"Node\":\"n\",\"CheckID\":\"c\"}]", INCOMPLETE);
    assert_refused("[{\"Node\":\"n\",\"CheckID\":\"c\",\"Status\":\"\"}]", INCOMPLETE);
    assert_refused("[{\"Node\":\"n\",\"CheckID\":\"c\",\"Status\":true}]", INCOMPLETE);
    assert_refused("[{\"Node\":\"n\",\"CheckID\":\"c\",\"Status\":\"passing\",\"ServiceID\":1}]",
                   INCOMPLETE);
    assert_refused("[{\"Node\":\"n\",\"CheckID\":\"c\",\"Status\":\"passing\",\"ServiceName\":{}}]",
                   INCOMPLETE);
    assert_refused("[{\"Node\":\"n\",\"Node\":\"n\",\"CheckID\":\"c\",\"Status\":\"passing\"}]",
                   INCOMPLETE);
}

/* `count` times `unit`, between two texts. */
static char *repeated(const char *before, const char *unit, size_t count, const char *behind)
{
    struct buf text;
    buf_init(&text, 8 * ROW_MAX);
    assert_true(buf_append_str(&text, before));
    for (size_t i = 0; i < count; i++)
        assert_true(buf_append_str(&text, unit));
    assert_true(buf_append_str(&text, behind));
    return buf_detach(&text);
}

TEST(test_check_rows__a_row_larger_than_any_sane_one_is_refused)
{
    char *text = repeated("[{\"Node\":\"", "xxxxxxxxxxxxxxxx", ROW_MAX / 16, "\"}]");
    assert_false(take(text, strlen(text), 16384, 16384));
    assert_says(&rows.error, "larger than any sane one");
    free(text);
}

TEST(test_check_rows__a_list_may_be_far_larger_than_any_row)
{
    char *text = repeated("[" A, "," A, 40000, "]");
    assert_true(strlen(text) > 3 * ROW_MAX);
    assert_true(take(text, strlen(text), 16384, 16384));
    assert_int_equal(rows.count, 40001);
    assert_true(rows.text.cap < 4096); /* it is not held whole */
    free(text);
}

TEST(test_check_rows__blanks_have_an_end)
{
    static char text[100 * 1024];
    memset(text, ' ', sizeof text);
    text[0] = '[';
    text[sizeof text - 1] = ']';
    assert_false(take(text, sizeof text, sizeof text, sizeof text));
    assert_says(&rows.error, "blanks");
}

TEST(test_check_rows__nesting_has_an_end)
{
    char *text = repeated("[{\"Node\":", "[", 100000, "");
    assert_false(take(text, strlen(text), 4096, 4096));
    free(text);
    char *deep = repeated("[{\"Node\":", "[", 5000, "");
    char *closed = repeated(deep, "]", 5000, "}]");
    assert_false(take(closed, strlen(closed), 4096, 4096));
    assert_says(&rows.error, "not complete JSON");
    free(deep);
    free(closed);
}

static struct rows_sum sum_of(const struct check_row *list, size_t count)
{
    struct rows_sum sum = {.count = 0};
    for (size_t i = 0; i < count; i++)
        rows_sum_add(&sum, &list[i]);
    return sum;
}

TEST(test_check_rows__sums_tell_rows_apart_and_not_their_order)
{
    const struct check_row a = {
        .node = "n", .check_id = "c", .service_id = "i", .service = "s", .status = "passing"};
    struct check_row b = a;
    struct rows_sum one = sum_of(&a, 1), other;
    b.status = "critical";
    other = sum_of(&b, 1);
    assert_false(rows_sum_equal(&one, &other));
    b = a;
    b.node = "nc";
    b.check_id = ""; /* the bytes are the same, their places are not */
    other = sum_of(&b, 1);
    assert_false(rows_sum_equal(&one, &other));
    b = a;
    b.service_id = "j";
    const struct check_row ab[] = {a, b}, ba[] = {b, a};
    one = sum_of(ab, 2);
    other = sum_of(ba, 2);
    assert_true(rows_sum_equal(&one, &other));
    other.count = 3;
    assert_false(rows_sum_equal(&one, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_check_rows__a_list_may_be_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__each_row_is_given_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__a_row_of_consul, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__what_stands_in_a_text_ends_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__a_check_of_a_node_names_no_service, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__anything_but_a_list_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__commas_stand_between_rows_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__nothing_may_follow_the_list, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__a_list_that_is_cut_is_refused_wherever,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__the_error_names_the_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__a_row_that_is_no_json_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_check_rows__what_identifies_a_check_must_be_there_and_be_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__a_row_larger_than_any_sane_one_is_refused,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__blanks_have_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__a_list_may_be_far_larger_than_any_row,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_rows__nesting_has_an_end, setup, teardown),
        cmocka_unit_test(test_check_rows__sums_tell_rows_apart_and_not_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
