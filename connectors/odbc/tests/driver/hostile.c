/* An ODBC driver that does what drivers must not do, on demand: the name of the table that is read, or `Mode` in the
 * connection string, says what. It knows just so much of ODBC as the driver manager needs to get to the attack.
 *
 * cc -shared -fPIC -o hostile.so hostile.c
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef short SMALL;
typedef unsigned short USMALL;
typedef int INT;
typedef long LEN;
typedef void *HANDLE;

enum { SUCCESS = 0, WITH_INFO = 1, ERROR = -1, NO_DATA = 100 };

/* What a statement remembers: two columns, `id` (BIGINT) and `name` (VARCHAR(10)). */
struct statement {
    char sql[4096];
    int empty;
    long fetched;
    unsigned long rows_max;
    unsigned long *rows_fetched;
    struct { SMALL type; char *to; LEN width; LEN *indicator; } bound[3];
};

static char file[512]; /* where the id of a forked process is written */

/* Writes where nothing is. */
static void crash(void) {
    volatile unsigned long nowhere = 0xdead0000beefUL << 16;
    *(volatile char *)nowhere = 1;
}

static void hang(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, 0);
    for (;;) pause();
}

static void take_memory(void) {
    for (;;) {
        char *block = malloc(16 << 20);
        /* A driver that does not look whether it got memory. */
        memset(block, 1, 16 << 20);
    }
}

/* Writes into every pipe that is open, as a driver could that was taken over: the worker's answers among them. */
static void write_into_pipes(const char *bytes, size_t length) {
    for (int fd = 0; fd < 256; fd++) {
        struct stat status;
        if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode)) {
            ssize_t written = write(fd, bytes, length);
            (void)written;
        }
    }
}

static int is(const struct statement *s, const char *mode) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", mode);
    return strstr(s->sql, quoted) != 0;
}

SMALL SQLAllocHandle(SMALL type, HANDLE from, HANDLE *to) {
    (void)from;
    *to = calloc(1, type == 3 ? sizeof(struct statement) : 64);
    if (type == 3) ((struct statement *)*to)->rows_max = 1;
    return SUCCESS;
}
SMALL SQLFreeHandle(SMALL type, HANDLE handle) { (void)type; free(handle); return SUCCESS; }
SMALL SQLSetEnvAttr(HANDLE h, INT a, HANDLE v, INT l) { (void)h; (void)a; (void)v; (void)l; return SUCCESS; }
SMALL SQLSetConnectAttr(HANDLE h, INT a, HANDLE v, INT l) { (void)h; (void)a; (void)v; (void)l; return SUCCESS; }

SMALL SQLGetInfo(HANDLE h, USMALL what, HANDLE to, SMALL width, SMALL *length) {
    (void)h;
    const char *text = what == 77 ? "03.80" : what == 17 ? "Hostile" : "";
    if (what == 77 || what == 17 || what == 6 || what == 7 || what == 18) {
        snprintf(to, width, "%s", text);
        if (length) *length = strlen(text);
    } else {
        *(USMALL *)to = 1;
    }
    return SUCCESS;
}

SMALL SQLDriverConnect(HANDLE h, HANDLE w, char *in, SMALL il, char *out, SMALL ol, SMALL *length, USMALL how) {
    (void)h; (void)w; (void)il; (void)how;
    if (strstr(in, "Mode=crash")) abort();
    if (strstr(in, "Mode=hang")) hang();
    if (strstr(in, "Mode=refuse")) return ERROR;
    const char *at = strstr(in, "File=");
    if (at) {
        snprintf(file, sizeof file, "%s", at + 5);
        file[strcspn(file, ";")] = 0;
    }
    if (out && ol > 0) *out = 0;
    if (length) *length = 0;
    return SUCCESS;
}
SMALL SQLDisconnect(HANDLE h) { (void)h; return SUCCESS; }
SMALL SQLEndTran(SMALL t, HANDLE h, SMALL how) { (void)t; (void)h; (void)how; return SUCCESS; }

SMALL SQLGetDiagRec(SMALL t, HANDLE h, SMALL n, char *state, INT *native, char *text, SMALL width, SMALL *length) {
    (void)t; (void)h;
    /* Drivers quote the value that they stumble over. */
    const char *message = "invalid value 'CANARY-7731' for column id";
    if (n > 1) return NO_DATA;
    memcpy(state, "22018", 6);
    if (native) *native = 42;
    if (text && width > 0) snprintf(text, width, "%s", message);
    if (length) *length = strlen(message);
    return SUCCESS;
}

SMALL SQLSetStmtAttr(HANDLE h, INT what, HANDLE value, INT length) {
    struct statement *s = h;
    (void)length;
    if (what == 27) s->rows_max = (unsigned long)value;
    if (what == 26) s->rows_fetched = value;
    return SUCCESS;
}
SMALL SQLGetStmtAttr(HANDLE h, INT what, HANDLE to, INT width, INT *length) {
    (void)h; (void)what; (void)width; (void)length;
    *(HANDLE *)to = 0;
    return SUCCESS;
}

SMALL SQLExecDirect(HANDLE h, char *sql, INT length) {
    struct statement *s = h;
    size_t size = length < 0 ? strlen(sql) : (size_t)length;
    if (size >= sizeof s->sql) size = sizeof s->sql - 1;
    memcpy(s->sql, sql, size);
    s->sql[size] = 0;
    s->empty = strstr(s->sql, "1 = 0") != 0;
    s->fetched = 0;
    if (s->empty) return SUCCESS;
    if (is(s, "crash_execute")) crash();
    if (is(s, "error")) return ERROR;
    return SUCCESS;
}

SMALL SQLNumResultCols(HANDLE h, SMALL *count) {
    /* As many columns as are asked for: `*` is both. */
    struct statement *s = h;
    char *from = strstr(s->sql, " FROM ");
    int names = 0;
    for (char *at = s->sql; at < from; at++) names += *at == '"';
    *count = names ? names / 2 : 2;
    return SUCCESS;
}

static int is_name(struct statement *s, USMALL column) {
    SMALL count;
    SQLNumResultCols(s, &count);
    return count == 2 ? column == 2 : strstr(s->sql, "\"name\"") != 0;
}

SMALL SQLColAttribute(HANDLE h, USMALL column, USMALL what, char *text, SMALL width, SMALL *length, LEN *number) {
    int name = is_name(h, column);
    const char *value = name ? "name" : "id";
    switch (what) {
    case 1: case 18: case 1011: /* label, name */
        if (text && width > 0) snprintf(text, width, "%s", value);
        if (length) *length = strlen(value);
        break;
    case 2: case 1002: *number = name ? 12 : -5; break; /* type: VARCHAR, BIGINT */
    case 3: case 6: case 1003: case 1013: *number = name ? 10 : 20; break; /* lengths */
    case 8: *number = 0; break; /* unsigned */
    case 1008: *number = is(h, "lies") ? 77 : 1; break; /* nullable */
    default: if (number) *number = 0;
    }
    return SUCCESS;
}

SMALL SQLDescribeCol(HANDLE h, USMALL column, char *to, SMALL width, SMALL *length, SMALL *type, unsigned long *size,
                     SMALL *digits, SMALL *nullable) {
    int name = is_name(h, column);
    if (to && width > 0) snprintf(to, width, "%s", name ? "name" : "id");
    if (length) *length = name ? 4 : 2;
    if (type) *type = name ? 12 : -5;
    if (size) *size = name ? 10 : 20;
    if (digits) *digits = 0;
    if (nullable) *nullable = 1;
    return SUCCESS;
}

SMALL SQLBindCol(HANDLE h, USMALL column, SMALL type, HANDLE to, LEN width, LEN *indicator) {
    struct statement *s = h;
    if (column < 3) {
        s->bound[column].type = type;
        s->bound[column].to = to;
        s->bound[column].width = width;
        s->bound[column].indicator = indicator;
    }
    return SUCCESS;
}

/* One row: `id` counts, `name` is "name". */
static void row(struct statement *s, unsigned long at) {
    for (int column = 1; column < 3; column++) {
        char *to = s->bound[column].to;
        LEN *indicator = s->bound[column].indicator;
        if (!to) continue;
        if (s->bound[column].type == 1) {
            snprintf(to + at * s->bound[column].width, s->bound[column].width, "name");
            indicator[at] = is(s, "negative") ? -7 : is(s, "huge") ? 1L << 40 : is(s, "cut") ? 1000 : 4;
        } else {
            ((long *)to)[at] = s->fetched;
            indicator[at] = 8;
        }
    }
    s->fetched++;
}

static const char HUGE_FRAME[] = {2, -1, -1, -1, -1, 'x'};
static const char FALSE_END[] = "\1\17\0\0\0{\"Done\":{\"rows\":3}}";

SMALL SQLFetch(HANDLE h) {
    struct statement *s = h;
    if (s->empty) return NO_DATA;
    if (s->fetched > 0) {
        if (is(s, "crash_fetch")) abort();
        if (is(s, "exit")) _exit(0);
        if (is(s, "leak")) take_memory();
        if (is(s, "hang")) {
            pid_t child = fork();
            if (child == 0) hang();
            FILE *to = fopen(file, "w");
            if (to) { fprintf(to, "%d\n", (int)child); fclose(to); }
            hang();
        }
        if (is(s, "frames")) write_into_pipes(HUGE_FRAME, sizeof HUGE_FRAME);
        if (is(s, "false_end")) write_into_pipes(FALSE_END, sizeof FALSE_END - 1);
        if (is(s, "error_fetch")) return ERROR;
    }
    if (is(s, "prints")) {
        printf("CANARY-7731 on standard output\n");
        fprintf(stderr, "CANARY-7731 on standard error\n");
        fflush(stdout);
    }
    long rows = is(s, "endless") ? 1L << 60 : 3;
    unsigned long now = 0;
    while (now < s->rows_max && s->fetched < rows) row(s, now++);
    if (now == 0 && !is(s, "many")) {
        if (s->rows_fetched) *s->rows_fetched = 0;
        return NO_DATA;
    }
    if (s->rows_fetched) *s->rows_fetched = is(s, "many") ? 1UL << 40 : now;
    return SUCCESS;
}

SMALL SQLFreeStmt(HANDLE h, USMALL how) {
    if (how == 2) memset(((struct statement *)h)->bound, 0, sizeof ((struct statement *)h)->bound);
    return SUCCESS;
}
SMALL SQLCloseCursor(HANDLE h) { (void)h; return SUCCESS; }
SMALL SQLMoreResults(HANDLE h) { (void)h; return NO_DATA; }
SMALL SQLCancel(HANDLE h) { (void)h; return SUCCESS; }
SMALL SQLPrepare(HANDLE h, char *sql, INT length) { return SQLExecDirect(h, sql, length); }
SMALL SQLExecute(HANDLE h) { (void)h; return SUCCESS; }
