/* SPDX-License-Identifier: Apache-2.0 */
#include "consul/check_rows.h"

#include <string.h>

#include "base/hash.h"
#include "consul/json.h"

/* A check's output is cut to 4 KB by the agent unless told otherwise; tags are as many as one likes. */
#define ROW_MAX (1024 * 1024)
/* Consul sends none, or with ?pretty one or two for each row. */
#define BLANKS_MAX (64 * 1024)

void rows_sum_add(struct rows_sum *s, const struct check_row *row)
{
    const char *const parts[] = {row->node, row->check_id, row->service_id, row->status};
    uint64_t hash = hash_bytes("", 0);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        hash = hash_more(hash, parts[i], strlen(parts[i]) + 1);
    s->sum += hash;
    s->count++;
}

bool rows_sum_equal(const struct rows_sum *a, const struct rows_sum *b)
{
    return a->sum == b->sum && a->count == b->count;
}

void check_rows_init(struct check_rows *r, void (*row)(const struct check_row *row, void *arg),
                     void *arg)
{
    *r = (struct check_rows){.row = row, .arg = arg, .at = BEFORE_LIST};
    buf_init(&r->text, ROW_MAX);
}

void check_rows_clear(struct check_rows *r)
{
    buf_clear(&r->text);
}

static bool wrong(struct check_rows *r, const char *why)
{
    return error_set(&r->error, "check %zu of the reply: %s", r->count + 1, why);
}

/* "" when it is not there, NULL when it is no text. */
static const char *text_of(const cJSON *row, const char *name)
{
    const cJSON *item = json_member(row, name);
    return item == NULL || cJSON_IsNull(item) ? "" : json_string(row, name);
}

static bool take_row(struct check_rows *r)
{
    struct error error;
    cJSON *json = json_parse(buf_text(&r->text), r->text.len, &error);
    if (json == NULL)
        return wrong(r, error.text);
    struct check_row row = {
        .node = text_of(json, "Node"),
        .check_id = text_of(json, "CheckID"),
        .service_id = text_of(json, "ServiceID"),
        .service = text_of(json, "ServiceName"),
        .status = text_of(json, "Status"),
    };
    bool ok = row.node != NULL && row.node[0] != '\0' && row.check_id != NULL &&
              row.service_id != NULL && row.service != NULL && row.status != NULL &&
              row.status[0] != '\0';
    if (ok)
        r->row(&row, r->arg);
    else
        (void)wrong(r, "a member is missing or not the text it should be");
    cJSON_Delete(json);
    r->count += ok;
    r->blanks = 0;
    buf_reset(&r->text);
    r->at = AFTER_ROW;
    return ok;
}

/* Where the row ends within these bytes: behind its last brace, or at `len`. Whether what is in
 * between is JSON is looked at when it is whole. */
static size_t to_end_of_row(struct check_rows *r, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        if (r->escaped)
            r->escaped = false;
        else if (r->in_string && c == '\\')
            r->escaped = true;
        else if (c == '"')
            r->in_string = !r->in_string;
        else if (!r->in_string && (c == '{' || c == '['))
            r->depth++;
        else if (!r->in_string && (c == '}' || c == ']') && --r->depth == 0)
            return i + 1;
    }
    return len;
}

/* One byte outside of the rows. */
static bool between_rows(struct check_rows *r, char c)
{
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
        return ++r->blanks <= BLANKS_MAX || wrong(r, "blanks, and no end of them");
    if (r->at == BEFORE_LIST && c == '[')
        r->at = BEFORE_FIRST;
    else if ((r->at == BEFORE_FIRST || r->at == AFTER_ROW) && c == ']')
        r->at = AFTER_LIST;
    else if (r->at == AFTER_ROW && c == ',')
        r->at = BEFORE_ROW;
    else if ((r->at == BEFORE_FIRST || r->at == BEFORE_ROW) && c == '{')
        r->at = IN_ROW;
    else
        return wrong(r, "not in a list of checks as it should be");
    return true;
}

bool check_rows_feed(struct check_rows *r, const char *bytes, size_t len)
{
    size_t i = 0;
    while (i < len) {
        if (r->at != IN_ROW) {
            if (!between_rows(r, bytes[i]))
                return false;
            i += r->at != IN_ROW; /* the brace belongs to the row */
            continue;
        }
        size_t more = to_end_of_row(r, bytes + i, len - i);
        if (!buf_append(&r->text, bytes + i, more))
            return wrong(r, "larger than any sane one, or out of memory");
        i += more;
        if (r->depth == 0 && !take_row(r))
            return false;
    }
    return true;
}

bool check_rows_end(struct check_rows *r)
{
    return r->at == AFTER_LIST || wrong(r, "the list ends before it");
}
