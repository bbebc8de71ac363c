/* SPDX-License-Identifier: Apache-2.0 */
#include "source/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "model/cluster_id.h"
#include "model/endpoint.h"
#include "source/merge.h"

/* Cuts what is before the next `end` off (replacing that by NUL); NULL when there is none. */
static char *next_part(char **at, char end)
{
    char *part = *at;
    char *stop = strchr(part, end);
    if (stop == NULL)
        return NULL;
    *stop = '\0';
    *at = stop + 1;
    return part;
}

/* A number as we write it, with many more to follow; false for anything else. */
static bool parse_number(const char *text, uint64_t *number)
{
    char written[24];
    *number = strtoull(text, NULL, 10);
    (void)snprintf(written, sizeof written, "%" PRIu64, *number);
    return *number <= INT64_MAX && strcmp(written, text) == 0;
}

/* "<id> <since> <list>[ <withheld>]": since is for people who read the file. */
static bool restore_cluster(char *line, struct merge *merge)
{
    char *rest = line;
    const char *id = next_part(&rest, ' ');
    if (id == NULL || next_part(&rest, ' ') == NULL || !cluster_id_valid(id, strlen(id)))
        return false;
    const char *body = next_part(&rest, ' ');
    const char *more = body != NULL ? rest : NULL;
    size_t count, more_count = 0;
    struct endpoint *list = endpoint_parse_list(body != NULL ? body : rest, &count);
    struct endpoint *withheld = more != NULL ? endpoint_parse_list(more, &more_count) : NULL;
    struct cluster_parts parts = {.id = id,
                                  .state = CLUSTER_RESTORED,
                                  .list = list,
                                  .count = count,
                                  .withheld = withheld,
                                  .withheld_count = more_count};
    bool ok = list != NULL && (withheld != NULL || more == NULL) &&
              merge_put(merge, &parts, "from the state file");
    free(list);
    free(withheld);
    return ok;
}

/* "cluster ..." or, in the journal, "gone <id>". */
static bool restore_record(char *record, struct merge *merge)
{
    static const char cluster[] = "cluster ", gone[] = "gone ";
    if (strncmp(record, cluster, sizeof cluster - 1) == 0)
        return restore_cluster(record + sizeof cluster - 1, merge);
    const char *id = record + sizeof gone - 1;
    if (strncmp(record, gone, sizeof gone - 1) != 0 || !cluster_id_valid(id, strlen(id)))
        return false;
    return merge_remove_restored(merge, id);
}

static bool end_restore(struct merge *merge, bool ok)
{
    if (ok)
        merge_commit(merge);
    else
        merge_abandon(merge);
    return ok;
}

/* Everything between header and end; `text` is taken apart. */
static bool restore_lists(char *text, size_t count, struct merge *merge)
{
    char *at = text, *line;
    size_t seen = 0;
    bool ok = merge_begin(merge);
    if (!ok)
        return false;
    while (ok && (line = next_part(&at, '\n')) != NULL)
        ok = seen++ < count && line[0] != 'g' && restore_record(line, merge); /* no "gone" here */
    return end_restore(merge, ok && seen == count);
}

/* Checks the frame; NULL when all is well, else what is wrong. */
static const char *check_frame(struct buf *text, size_t *count)
{
    static const char header[] = STATE_HEADER;
    char *data = text->data;
    if (text->len < sizeof header - 1 || strncmp(data, header, sizeof header - 1) != 0)
        return "it does not start like a state file of this version";
    if (strlen(data) != text->len || data[text->len - 1] != '\n')
        return "it is cut or has a NUL byte";
    char *last = data + text->len - 1;
    while (last > data && last[-1] != '\n')
        last--;
    if (strncmp(last, "end ", 4) != 0)
        return "its last line is missing";
    char expected[64];
    *count = (size_t)strtoull(last + 4, NULL, 10); /* a wrong one fails the comparison below */
    (void)snprintf(expected, sizeof expected, "end %zu %016" PRIx64 "\n", *count,
                   hash_bytes(data, (size_t)(last - data)));
    if (strcmp(expected, last) != 0)
        return "its checksum is wrong";
    *last = '\0';
    text->len = (size_t)(last - data);
    return NULL;
}

const char *restore_state(struct buf *text, const struct buf *source, struct merge *merge,
                          uint64_t *sequence)
{
    static const char word[] = "sequence ";
    size_t count;
    if (text->len == 0)
        return "it is empty";
    const char *why = check_frame(text, &count);
    if (why != NULL)
        return why;
    char *at = text->data + sizeof STATE_HEADER - 1;
    if (strncmp(at, source->data, source->len) != 0)
        return "it is of another service_prefix, datacenter, namespace or partition";
    at += source->len;
    const char *line = next_part(&at, '\n');
    uint64_t number;
    if (line == NULL || strncmp(line, word, sizeof word - 1) != 0 ||
        !parse_number(line + sizeof word - 1, &number) || !restore_lists(at, count, merge))
        return "a line in it is not one of ours";
    *sequence = number;
    return NULL;
}

/* Their numbers rise by one. */
bool restore_journal(struct buf *records, struct merge *merge, uint64_t *sequence, bool *older)
{
    char *at = records->data, *line;
    uint64_t last = 0;
    bool ok = merge_begin(merge);
    if (!ok)
        return false;
    while (ok && (line = next_part(&at, '\n')) != NULL) {
        const char *text = next_part(&line, ' ');
        uint64_t number;
        ok = text != NULL && parse_number(text, &number) && number > 0 &&
             (last == 0 ? number <= *sequence + 1 : number == last + 1) &&
             (number <= *sequence || restore_record(line, merge));
        last = ok ? number : last;
    }
    if (!end_restore(merge, ok && at == records->data + records->len))
        return false;
    *older = last < *sequence;
    *sequence = *older ? *sequence : last;
    return true;
}
