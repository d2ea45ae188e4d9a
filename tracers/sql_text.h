/* A statement's text without its literals: a machine that is given one byte at a time.
 *
 * Nothing in it is of the kernel, so that tests compile these very lines for the host and compare them with a plain
 * reading (tests/tracers/sql/test_sql_text.py). It decides what may ever leave the kernel, so wherever two readings of a
 * text are possible (a backslash before a quote, a character set that is not known, what a comment holds that may be run),
 * it does not choose one: it cuts the text there.
 *
 * What comes out: words in lower case; white space and comments are one blank, none before `,` `)` and behind `(`, one
 * behind `,`; each literal, with its sign and its prefix, is `?`; literals in a row are one: (?, ?, ?) is (?), and so are
 * rows of nothing else: (?), (?) is (?). NULL, TRUE, FALSE, DEFAULT are literals behind `(`, `,` and `=`.
 *
 * Two tables: what a byte is within the text (mode and class of byte → action), and what becomes of a token behind others
 * (last token and token → fold). Tables, and no branches where it can be: the verifier follows every way through every
 * turn of the loop around it, and two ways meet again only after twenty branches. What may fall away again is put at once;
 * the stand before it is kept in a slot, and taken up again.
 */

#define TEXT_BYTES 192 /* of what comes out, that are kept; all of it is hashed */
#define TEXT_ROOM 8192 /* at most two come out for one that goes in */
#define TEXT_READ 2048 /* bytes of a statement that are looked at */
#define TEXT_END 256   /* in place of a byte */
#define FNV_START 0xcbf29ce484222325ULL
#define FNV_TIMES 0x100000001b3ULL

enum { SQL_TAKEN, SQL_AGAIN, SQL_STATEMENT_ENDS, SQL_ENDS, SQL_CUT }; /* what became of a byte; AGAIN: give it once more */
enum { ESCAPE_UNKNOWN, ESCAPE_YES, ESCAPE_NO }; /* whether a backslash in a string takes the next byte's meaning */

/* Classes of bytes. */
enum {
    C_OTHER, C_BLANK, C_NEWLINE, C_RETURN, C_LETTER, C_E, C_X, C_N_OR_B, C_M, C_UNDERLINE, C_HIGH, C_ZERO, C_DIGIT,
    C_QUOTE, C_DOUBLE, C_BACKTICK, C_DOLLAR, C_OPEN, C_CLOSE, C_COMMA, C_SEMICOLON, C_EQUALS, C_BRACKET, C_DOT, C_MINUS,
    C_PLUS, C_SLASH, C_STAR, C_HASH, C_QUESTION, C_BACKSLASH, C_BANG
};
#define CLASSES 32

/* What a byte is within. A string's modes are three, for each way to take a backslash: before it, behind a backslash, and
 * behind what may be its end. */
#define M_STRING 15
#define M_DOUBLE 24
#define STRING_MODES 9
enum { S_WITHIN, S_SLASHED, S_ENDED };
enum {
    M_CODE, M_DASH, M_DASHES, M_SLASH, M_WORD, M_WORD_N, M_WORD_E, M_WORD_UNDERLINE, M_NUMBER, M_ZERO, M_EXPONENT, M_SIGN,
    M_HEX, M_NAME, M_NAME_ENDED,
    M_LINE = M_DOUBLE + STRING_MODES, M_OPENED, M_OPENED_M, M_BLOCK, M_BLOCK_STAR, M_BLOCK_SLASH, M_RUN, M_RUN_STAR,
    M_RUN_SLASH, M_RUN_DASH, M_TAG_FIRST, M_TAG, M_BODY, M_BODY_TAG
};
#define MODES 64

/* Actions: the next mode, and … */
#define A_TOKEN(token) ((token) << 6)
#define A_BARE (1U << 10)       /* the byte is put */
#define A_LOAD(slot) ((slot) << 11)
#define A_BLANK (1U << 13)
#define A_SAYS(what) ((what) << 14)
#define A_OPENS (1U << 17)      /* comments in comments */
#define A_DEEPER (1U << 18)
#define A_CLOSES (1U << 19)
#define A_TAG_BEGINS (1U << 20) /* $tag$ */
#define A_TAG (1U << 21)
#define A_MAY_END (1U << 22)
#define A_FOUND (1U << 23)
#define A_COMPARE (1U << 24)
#define A_WORD_BEGINS (1U << 25)
#define A_WORD (1U << 26)
#define A_UNLESS_INSIDE (1U << 27) /* parentheses */
#define A_STRING (1U << 28)        /* the mode by what a backslash means */
#define A_WORD_ENDS (1U << 29)
#define A_HALF (1U << 30)          /* may be the second half of a character */
#define A_RAW (1U << 31)           /* put as it is, not in lower case */

enum { T_NONE, T_LITERAL, T_WORD, T_OPEN, T_CLOSE, T_COMMA, T_SIGN, T_SLASH, T_EQUALS, T_BRACKET, T_END, T_COMMENT, T_OTHER };
#define TOKENS 16
/* The last token, with what of a row of literals is behind us. */
enum {
    L_NOTHING, L_WORD, L_LITERAL, L_OPEN, L_CLOSE, L_COMMA, L_EQUALS, L_OPERATOR, L_END, L_ROW_LITERAL, L_ROW_CLOSED,
    L_NEXT_COMMA, L_NEXT_OPEN, L_NEXT_LITERAL, L_LIST_COMMA, L_ROW_LIST_COMMA, L_NEXT_LIST_COMMA
};
#define LASTS 32
/* Slots of stands. */
enum { SLOT_NOW, SLOT_WORD, SLOT_SIGN, SLOT_SLASH, SLOT_COMMA, SLOT_ROW, SLOT_END, SLOT_NONE };
/* Folds: the next last token, and … */
#define F_PUTS (1U << 5)
#define F_LOAD(slot) ((slot) << 6)
#define F_SAVE(slot) ((slot) << 9)
#define F_NO_BLANK (1U << 12) /* before it */
#define F_BLANK (1U << 13)    /* behind it */
#define F_STAYS (1U << 14)    /* all that is known stays as it is, or as it was loaded */
#define F_SIGN (1U << 15)     /* it may be a sign */
#define F_IDLE (1U << 16)     /* no token */

struct stand {
    u64 hash;
    u16 length;
    u8 last;
    u8 blank;
    u8 sign;
    u8 unused[3];
};
struct text {
    struct stand at[8];
    u64 word;       /* its first eight letters */
    u64 tag, found; /* hashes: of the $tag$ that a text is within, and of what may end it */
    u32 read;
    u32 letters;
    u32 depth; /* of comments */
    u32 parentheses;
    u8 mode;
    u8 lacks;      /* bytes, of a character of UTF-8 */
    u8 said;
    u8 escapes;    /* of strings without a prefix: given */
    u8 postgresql; /* else MySQL: given */
    u8 unused[3];
};
struct machine {
    u32 ready;
    u32 bytes[512];                   /* class, lower case, kind in UTF-8 */
    u32 actions[2 * MODES * CLASSES]; /* MySQL's, PostgreSQL's */
    u32 folds[LASTS * TOKENS];
    u8 utf8[64];
};

/* ------------------------------------------------------------------ the tables */

#define BYTE(class, lower, kind) ((class) | (lower) << 8 | (kind) << 16)
#define BROKEN 4

static __always_inline void set_byte(struct machine *m, u64 c, u32 class)
{
    m->bytes[c & 511] = BYTE(class, (u32)c, 0);
}

static __always_inline void build_bytes(struct machine *m)
{
#pragma clang loop unroll(disable)
    for (u32 c = 0; c < 257; c++) {
        u32 class = c <= ' ' || c == 127 || c == TEXT_END ? C_BLANK : c >= 128 ? C_HIGH : C_OTHER, lower = c, kind = 0;
        if (class == C_BLANK)
            lower = ' ';
        if (c - '0' < 10)
            class = C_DIGIT;
        if ((c | 32) - 'a' < 26)
            class = C_LETTER, lower = c | 32;
        if (class == C_HIGH)
            kind = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        m->bytes[c] = BYTE(class, lower, kind);
    }
    m->bytes['\n'] = BYTE(C_NEWLINE, ' ', 0), m->bytes['\r'] = BYTE(C_RETURN, ' ', 0);
    m->bytes['e'] = m->bytes['E'] = BYTE(C_E, 'e', 0);
    m->bytes['x'] = m->bytes['X'] = BYTE(C_X, 'x', 0);
    m->bytes['n'] = m->bytes['N'] = BYTE(C_N_OR_B, 'n', 0);
    m->bytes['b'] = m->bytes['B'] = BYTE(C_N_OR_B, 'b', 0);
    m->bytes['M'] = BYTE(C_M, 'm', 0);
    set_byte(m, '_', C_UNDERLINE), set_byte(m, '0', C_ZERO), set_byte(m, '\'', C_QUOTE), set_byte(m, '"', C_DOUBLE);
    set_byte(m, '`', C_BACKTICK), set_byte(m, '$', C_DOLLAR), set_byte(m, '(', C_OPEN), set_byte(m, ')', C_CLOSE);
    set_byte(m, ',', C_COMMA), set_byte(m, ';', C_SEMICOLON), set_byte(m, '=', C_EQUALS), set_byte(m, ']', C_BRACKET);
    set_byte(m, '.', C_DOT), set_byte(m, '-', C_MINUS), set_byte(m, '+', C_PLUS), set_byte(m, '/', C_SLASH);
    set_byte(m, '*', C_STAR), set_byte(m, '#', C_HASH), set_byte(m, '?', C_QUESTION), set_byte(m, '\\', C_BACKSLASH);
    set_byte(m, '!', C_BANG);
    /* By bytes that lack, and kind. */
    for (u32 lacks = 0; lacks <= BROKEN; lacks++) {
        m->utf8[lacks * 8] = 0;
        m->utf8[lacks * 8 + 1] = lacks && lacks < BROKEN ? lacks - 1 : BROKEN;
        for (u32 kind = 2; kind <= 4; kind++)
            m->utf8[lacks * 8 + kind] = lacks ? BROKEN : kind - 1;
    }
}

static __always_inline int is_of_a_word(u32 class) { return (class >= C_LETTER && class <= C_DIGIT) || class == C_DOLLAR; }

/* In every byte of a mode the same. */
static __always_inline void fill(u32 *of_system, u32 mode, u32 action)
{
#pragma clang loop unroll(disable)
    for (u32 class = 0; class < CLASSES; class++)
        of_system[mode * CLASSES + class] = action;
}

/* As in the statement itself. */
static __always_inline void as_code(u32 *of_system, u32 mode)
{
#pragma clang loop unroll(disable)
    for (u32 class = 0; class < CLASSES; class++)
        of_system[mode * CLASSES + class] = of_system[class];
}

#define ON(mode, class) of_system[(mode) * CLASSES + (class)]

static __always_inline void build_code(u32 *of_system, u32 pg)
{
    fill(of_system, M_CODE, M_CODE | A_TOKEN(T_OTHER));
    ON(M_CODE, C_BLANK) = ON(M_CODE, C_NEWLINE) = ON(M_CODE, C_RETURN) = M_CODE | A_BLANK;
    u32 word = A_TOKEN(T_WORD) | A_WORD_BEGINS;
    ON(M_CODE, C_LETTER) = ON(M_CODE, C_M) = ON(M_CODE, C_HIGH) = M_WORD | word;
    ON(M_CODE, C_X) = ON(M_CODE, C_N_OR_B) = M_WORD_N | word;
    ON(M_CODE, C_E) = (pg ? M_WORD_E : M_WORD) | word;
    ON(M_CODE, C_UNDERLINE) = (pg ? M_WORD : M_WORD_UNDERLINE) | word;
    ON(M_CODE, C_DIGIT) = M_NUMBER | A_TOKEN(T_LITERAL);
    ON(M_CODE, C_ZERO) = M_ZERO | A_TOKEN(T_LITERAL);
    u32 name = M_NAME | A_TOKEN(T_WORD);
    ON(M_CODE, C_QUOTE) = M_STRING | A_STRING | A_TOKEN(T_LITERAL);
    ON(M_CODE, C_DOUBLE) = pg ? name : M_DOUBLE | A_STRING | A_TOKEN(T_LITERAL);
    ON(M_CODE, C_BACKTICK) = A_HALF | (pg ? M_CODE | A_TOKEN(T_OTHER) : name);
    ON(M_CODE, C_BACKSLASH) |= A_HALF;
    ON(M_CODE, C_DOLLAR) = pg ? M_TAG_FIRST | A_TAG_BEGINS : M_CODE | A_SAYS(SQL_CUT);
    ON(M_CODE, C_OPEN) = M_CODE | A_TOKEN(T_OPEN);
    ON(M_CODE, C_CLOSE) = M_CODE | A_TOKEN(T_CLOSE);
    ON(M_CODE, C_COMMA) = M_CODE | A_TOKEN(T_COMMA);
    ON(M_CODE, C_SEMICOLON) = pg ? M_CODE | A_SAYS(SQL_STATEMENT_ENDS) | A_UNLESS_INSIDE : M_CODE | A_TOKEN(T_END);
    ON(M_CODE, C_EQUALS) = M_CODE | A_TOKEN(T_EQUALS);
    ON(M_CODE, C_BRACKET) = M_CODE | A_TOKEN(T_BRACKET);
    ON(M_CODE, C_MINUS) = M_DASH | A_TOKEN(T_SIGN);
    ON(M_CODE, C_PLUS) = M_CODE | A_TOKEN(T_SIGN);
    ON(M_CODE, C_SLASH) = M_SLASH | A_TOKEN(T_SLASH);
    if (!pg) {
        ON(M_CODE, C_HASH) = M_LINE;
        ON(M_CODE, C_QUESTION) = M_CODE | A_TOKEN(T_LITERAL);
    }
    as_code(of_system, M_DASH);
    u32 comment = A_LOAD(SLOT_SIGN) | A_TOKEN(T_COMMENT);
    ON(M_DASH, C_MINUS) = pg ? M_LINE | comment : M_DASHES | A_BARE;
    as_code(of_system, M_DASHES);
    ON(M_DASHES, C_BLANK) = ON(M_DASHES, C_RETURN) = M_LINE | comment;
    ON(M_DASHES, C_NEWLINE) = M_CODE | comment;
    ON(M_DASHES, C_HIGH) = M_CODE | A_SAYS(SQL_CUT); /* a blank in some character sets */
    as_code(of_system, M_SLASH);
    ON(M_SLASH, C_STAR) = M_OPENED | A_LOAD(SLOT_SLASH) | A_OPENS;
}

static __always_inline void build_words(u32 *of_system, u32 pg)
{
#pragma clang loop unroll(disable)
    for (u32 mode = M_WORD; mode <= M_HEX; mode++) {
        u32 number = mode >= M_NUMBER;
        as_code(of_system, mode);
#pragma clang loop unroll(disable)
        for (u32 class = 0; class < CLASSES; class++) {
            u32 *action = &of_system[mode * CLASSES + class];
            if (is_of_a_word(class))
                *action = number ? (mode == M_HEX ? M_HEX : class == C_E ? M_EXPONENT : M_NUMBER)
                                 : (mode == M_WORD_UNDERLINE ? mode : M_WORD) | A_BARE | A_WORD;
            else if (!number && class != C_OPEN && class != C_DOT)
                *action |= A_WORD_ENDS;
        }
        if (number)
            of_system[mode * CLASSES + C_DOT] = mode == M_HEX ? M_HEX : M_NUMBER;
    }
    /* A prefix is a part of its string. */
    ON(M_WORD_N, C_QUOTE) = ON(M_WORD_UNDERLINE, C_QUOTE) = ON(M_CODE, C_QUOTE) | A_LOAD(SLOT_WORD);
    if (!pg)
        ON(M_WORD_N, C_DOUBLE) = ON(M_WORD_UNDERLINE, C_DOUBLE) = ON(M_CODE, C_DOUBLE) | A_LOAD(SLOT_WORD);
    ON(M_WORD_E, C_QUOTE) = (M_STRING + 3 * ESCAPE_YES) | A_TOKEN(T_LITERAL) | A_LOAD(SLOT_WORD);
    ON(M_ZERO, C_X) = M_HEX;
    ON(M_EXPONENT, C_MINUS) = ON(M_EXPONENT, C_PLUS) = M_SIGN;
    fill(of_system, M_SIGN, M_CODE | A_SAYS(SQL_CUT));
    ON(M_SIGN, C_DIGIT) = ON(M_SIGN, C_ZERO) = M_NUMBER;
}

static __always_inline void build_quotes(u32 *of_system, u32 pg)
{
    u32 quote = pg ? C_DOUBLE : C_BACKTICK;
    fill(of_system, M_NAME, M_NAME | A_BARE | A_RAW);
    ON(M_NAME, C_BLANK) = ON(M_NAME, C_NEWLINE) = ON(M_NAME, C_RETURN) = M_NAME | A_BARE;
    ON(M_NAME, C_BACKTICK) |= A_HALF;
    ON(M_NAME, C_BACKSLASH) |= A_HALF;
    as_code(of_system, M_NAME_ENDED);
    ON(M_NAME, quote) = M_NAME_ENDED | A_BARE | (pg ? 0 : A_HALF);
    ON(M_NAME_ENDED, quote) = M_NAME | A_BARE | A_HALF;
#pragma clang loop unroll(disable)
    for (u32 n = 0; n < 6; n++) {
        u32 escapes = n >> 1, mode = (n & 1 ? M_DOUBLE : M_STRING) + 3 * escapes;
        u32 ends = n & 1 ? C_DOUBLE : C_QUOTE, slash = escapes == ESCAPE_NO ? S_WITHIN : S_SLASHED;
        fill(of_system, mode, mode);
        fill(of_system, mode + S_SLASHED, mode);
        as_code(of_system, mode + S_ENDED);
        of_system[mode * CLASSES + C_BACKSLASH] = (mode + slash) | (escapes == ESCAPE_NO ? 0 : A_HALF);
        of_system[(mode + S_SLASHED) * CLASSES + C_BACKSLASH] = mode | A_HALF;
        of_system[mode * CLASSES + ends] = mode + S_ENDED;
        of_system[(mode + S_SLASHED) * CLASSES + ends] = escapes == ESCAPE_YES ? mode : mode | A_SAYS(SQL_CUT);
        of_system[(mode + S_ENDED) * CLASSES + ends] = mode; /* written twice */
    }
}

static __always_inline void build_comments(u32 *of_system, u32 pg)
{
    fill(of_system, M_LINE, M_LINE);
    ON(M_LINE, C_NEWLINE) = M_CODE | A_BLANK;
    if (pg)
        ON(M_LINE, C_RETURN) = M_CODE | A_BLANK;
    fill(of_system, M_BLOCK, M_BLOCK);
    ON(M_BLOCK, C_STAR) = M_BLOCK_STAR;
    ON(M_BLOCK, C_SLASH) = M_BLOCK_SLASH;
    fill(of_system, M_BLOCK_STAR, M_BLOCK);
    ON(M_BLOCK_STAR, C_STAR) = M_BLOCK_STAR;
    ON(M_BLOCK_STAR, C_SLASH) = M_BLOCK | A_CLOSES;
    fill(of_system, M_BLOCK_SLASH, M_BLOCK);
    ON(M_BLOCK_SLASH, C_SLASH) = M_BLOCK_SLASH;
    ON(M_BLOCK_SLASH, C_STAR) = pg ? M_BLOCK | A_DEEPER : M_BLOCK_STAR;
    fill(of_system, M_OPENED, M_BLOCK);
    ON(M_OPENED, C_STAR) = M_BLOCK_STAR;
    ON(M_OPENED, C_SLASH) = M_BLOCK_SLASH;
    if (!pg) {
        ON(M_OPENED, C_BANG) = ON(M_OPENED, C_PLUS) = M_RUN;
        ON(M_OPENED, C_M) = M_OPENED_M;
    }
    fill(of_system, M_OPENED_M, M_BLOCK);
    ON(M_OPENED_M, C_STAR) = M_BLOCK_STAR;
    ON(M_OPENED_M, C_SLASH) = M_BLOCK_SLASH;
    ON(M_OPENED_M, C_BANG) = M_RUN;
    /* Some servers run it, others do not: what would make a difference to where it ends cuts. */
#pragma clang loop unroll(disable)
    for (u32 mode = M_RUN; mode <= M_RUN_DASH; mode++) {
        fill(of_system, mode, M_RUN);
        of_system[mode * CLASSES + C_STAR] = mode == M_RUN_SLASH ? M_RUN | A_SAYS(SQL_CUT) : M_RUN_STAR;
        of_system[mode * CLASSES + C_SLASH] = mode == M_RUN_STAR ? M_CODE | A_BLANK : M_RUN_SLASH;
        of_system[mode * CLASSES + C_MINUS] = mode == M_RUN_DASH ? M_RUN | A_SAYS(SQL_CUT) : M_RUN_DASH;
        of_system[mode * CLASSES + C_QUOTE] = of_system[mode * CLASSES + C_DOUBLE] = M_RUN | A_SAYS(SQL_CUT);
        of_system[mode * CLASSES + C_BACKTICK] = of_system[mode * CLASSES + C_HASH] = M_RUN | A_SAYS(SQL_CUT);
    }
    /* $tag$ … $tag$ */
    fill(of_system, M_TAG, M_CODE | A_SAYS(SQL_CUT));
    fill(of_system, M_BODY, M_BODY);
    fill(of_system, M_BODY_TAG, M_BODY);
#pragma clang loop unroll(disable)
    for (u32 class = C_LETTER; class <= C_DIGIT; class++) {
        ON(M_TAG, class) = M_TAG | A_TAG;
        ON(M_BODY_TAG, class) = M_BODY_TAG | A_FOUND;
    }
    ON(M_TAG, C_DOLLAR) = M_BODY | A_TOKEN(T_LITERAL);
    ON(M_BODY, C_DOLLAR) = M_BODY_TAG | A_MAY_END;
    ON(M_BODY_TAG, C_DOLLAR) = M_BODY_TAG | A_COMPARE | A_MAY_END;
#pragma clang loop unroll(disable)
    for (u32 class = 0; class < CLASSES; class++)
        ON(M_TAG_FIRST, class) = ON(M_TAG, class);
    ON(M_TAG_FIRST, C_DIGIT) = ON(M_TAG_FIRST, C_ZERO) = M_HEX | A_TOKEN(T_LITERAL); /* $1 */
}

#define FOLD(last, token) m->folds[(last) * TOKENS + (token)]

static __always_inline void build_folds(struct machine *m)
{
#pragma clang loop unroll(disable)
    for (u32 last = 0; last < LASTS; last++) {
        u32 *folds = &m->folds[last * TOKENS];
        u32 puts = F_PUTS | F_SAVE(SLOT_NONE), first = last == L_NOTHING || last == L_OPEN || last == L_NEXT_OPEN;
        u32 sign = last == L_OPEN || last == L_NEXT_OPEN || (last >= L_COMMA && last <= L_END) || last == L_NEXT_COMMA ||
                   last >= L_LIST_COMMA;
        if (first)
            puts |= F_NO_BLANK;
        folds[T_NONE] = F_IDLE | F_STAYS | F_SAVE(SLOT_NONE);
        folds[T_LITERAL] = L_LITERAL | puts;
        folds[T_WORD] = L_WORD | F_SAVE(SLOT_WORD) | (puts & ~F_SAVE(SLOT_NONE));
        folds[T_OPEN] = L_OPEN | puts;
        folds[T_CLOSE] = L_CLOSE | puts | F_NO_BLANK;
        folds[T_COMMA] = L_COMMA | puts | F_NO_BLANK | F_BLANK;
        folds[T_SLASH] = L_OPERATOR | F_SAVE(SLOT_SLASH) | (puts & ~F_SAVE(SLOT_NONE));
        folds[T_SIGN] = L_OPERATOR | F_SAVE(SLOT_SIGN) | (puts & ~F_SAVE(SLOT_NONE)) | (sign ? F_SIGN : 0);
        folds[T_EQUALS] = L_EQUALS | puts;
        folds[T_BRACKET] = L_CLOSE | puts;
        folds[T_END] = L_END | F_SAVE(SLOT_END) | F_PUTS | F_NO_BLANK | F_BLANK;
        folds[T_COMMENT] = F_STAYS | F_BLANK | F_SAVE(SLOT_NONE); /* the slot of a sign before it is taken */
        folds[T_OTHER] = L_OPERATOR | puts;
    }
    FOLD(L_END, T_END) = F_STAYS | F_BLANK | F_SAVE(SLOT_NONE);
    FOLD(L_OPEN, T_LITERAL) = L_ROW_LITERAL | F_PUTS | F_NO_BLANK | F_SAVE(SLOT_NONE);
    FOLD(L_NEXT_OPEN, T_LITERAL) = L_NEXT_LITERAL | F_PUTS | F_NO_BLANK | F_SAVE(SLOT_NONE);
    FOLD(L_NEXT_COMMA, T_OPEN) = L_NEXT_OPEN | F_PUTS | F_SAVE(SLOT_NONE);
    FOLD(L_ROW_LITERAL, T_CLOSE) = L_ROW_CLOSED | F_PUTS | F_NO_BLANK | F_SAVE(SLOT_NONE);
    FOLD(L_ROW_CLOSED, T_COMMA) = L_NEXT_COMMA | F_PUTS | F_NO_BLANK | F_BLANK | F_SAVE(SLOT_ROW);
    u32 list = F_PUTS | F_NO_BLANK | F_BLANK | F_SAVE(SLOT_COMMA);
    FOLD(L_LITERAL, T_COMMA) = L_LIST_COMMA | list;
    FOLD(L_ROW_LITERAL, T_COMMA) = L_ROW_LIST_COMMA | list;
    FOLD(L_NEXT_LITERAL, T_COMMA) = L_NEXT_LIST_COMMA | list;
    u32 again = F_STAYS | F_SAVE(SLOT_NONE) | F_LOAD(SLOT_COMMA);
    FOLD(L_LIST_COMMA, T_LITERAL) = FOLD(L_ROW_LIST_COMMA, T_LITERAL) = FOLD(L_NEXT_LIST_COMMA, T_LITERAL) = again;
    FOLD(L_NEXT_LITERAL, T_CLOSE) = F_STAYS | F_SAVE(SLOT_NONE) | F_LOAD(SLOT_ROW);
}

static __always_inline void build_actions(struct machine *m)
{
#pragma clang loop unroll(disable)
    for (u32 pg = 0; pg < 2; pg++) {
        u32 *of_system = m->actions + pg * MODES * CLASSES;
        build_code(of_system, pg);
        build_words(of_system, pg);
        build_quotes(of_system, pg);
        build_comments(of_system, pg);
    }
}

/* ------------------------------------------------------------------ the machine */

static __always_inline void begin_text(struct text *t, u64 postgresql, u64 escapes)
{
    __builtin_memset(t, 0, sizeof(*t));
    t->at[SLOT_NOW].hash = FNV_START;
    t->postgresql = postgresql;
    t->escapes = escapes;
}

/* Without branches: what the compiler knows to be 0 or 1 it would make some of. */
static __always_inline u64 unknown(u64 number)
{
    asm volatile("" : "+r"(number));
    return number;
}
static __always_inline u64 if_none(u64 number) { return unknown(((number - 1) & ~number) >> 63); }
/* By multiplication: from an AND with a mask of 0 or -1, late verifiers go on in two ways. */
#define EITHER(bit, one, other) ((other) ^ ((u64)(one) ^ (u64)(other)) * (bit))
#define BIT(word, flag) unknown((u64)((word) / (flag)) & 1)

static __always_inline void put_if(struct text *t, char *text, u64 puts, u64 c)
{
    u64 place = t->at[SLOT_NOW].length, hash = t->at[SLOT_NOW].hash;
    t->at[SLOT_NOW].length = place + puts;
    t->at[SLOT_NOW].hash = EITHER(puts, (hash ^ c) * FNV_TIMES, hash);
    BOUND(place, TEXT_ROOM - 1);
    text[place] = c * puts;
}

/* NULL, TRUE, FALSE or DEFAULT where a value is. */
static __always_inline u64 is_a_value(struct text *t, u64 action)
{
    u64 word = t->word, last = t->at[SLOT_WORD].last;
    u64 where = if_none(last ^ L_OPEN) | if_none(last ^ L_COMMA) | if_none(last ^ L_EQUALS) | if_none(last ^ L_NEXT_COMMA) |
                if_none(last ^ L_NEXT_OPEN) | (L_LIST_COMMA - 1 - last) >> 63;
    u64 what = if_none(word ^ 0x6e756c6c00000000ULL) | if_none(word ^ 0x7472756500000000ULL) |
               if_none(word ^ 0x66616c7365000000ULL) | if_none(word ^ 0x64656661756c7400ULL);
    return where & what & BIT(action, A_WORD_ENDS);
}

#define IS_A_VALUE (M_CODE | A_TOKEN(T_LITERAL) | A_LOAD(SLOT_WORD) | A_SAYS(SQL_AGAIN))

/* A token, or none: it is put, or falls away with what came before it. */
static __always_inline u64 fold_token(struct text *t, const struct machine *m, char *text, u64 token)
{
    u64 drop = t->at[SLOT_NOW].sign & if_none(token ^ T_LITERAL), slot; /* the sign is the literal's */
    slot = drop * SLOT_SIGN;
    BOUND(slot, 7);
    t->at[SLOT_NOW] = t->at[slot];
    u64 place = t->at[SLOT_NOW].last * TOKENS + token;
    BOUND(place, LASTS * TOKENS - 1);
    u64 fold = m->folds[place], puts = BIT(fold, F_PUTS), idle = BIT(fold, F_IDLE), stays = BIT(fold, F_STAYS);
    slot = fold >> 9;
    BOUND(slot, 7);
    t->at[slot] = t->at[SLOT_NOW];
    slot = fold >> 6;
    BOUND(slot, 7);
    t->at[SLOT_NOW] = t->at[slot];
    put_if(t, text, puts & t->at[SLOT_NOW].blank & ~BIT(fold, F_NO_BLANK), ' ');
    t->at[SLOT_NOW].last = EITHER(stays, t->at[SLOT_NOW].last, fold & 31);
    t->at[SLOT_NOW].blank = EITHER(idle, t->at[SLOT_NOW].blank, BIT(fold, F_BLANK));
    t->at[SLOT_NOW].sign = EITHER(idle, t->at[SLOT_NOW].sign, BIT(fold, F_SIGN));
    t->parentheses += if_none(token ^ T_OPEN);
    t->parentheses -= if_none(token ^ T_CLOSE) & ~if_none(t->parentheses);
    return puts;
}

static __always_inline void note_letter(struct text *t, u64 one, u64 lower)
{
    u64 letters = t->letters, fits = if_none(letters >> 3);
    t->word |= (lower << (56 - 8 * (letters & 7))) * (one & fits);
    t->word |= one & ~fits; /* longer than any that is looked for */
    t->letters = letters + one;
}

static __always_inline void take_letter(struct text *t, char *text, u64 lower)
{
    put_if(t, text, 1, lower);
    note_letter(t, 1, lower);
    t->mode = M_WORD;
    t->said = SQL_TAKEN;
}

/* One byte; t->said is what has become of it. */
static __always_inline void take_byte(struct text *t, const struct machine *m, char *text, u64 c)
{
    u64 ends = c >> 8 | (if_none(c) & t->postgresql), mode = t->mode, slot, bit;
    c = EITHER(ends, ' ', c);
    BOUND(c, 511);
    u64 byte = m->bytes[c], place = (t->postgresql * MODES + mode) * CLASSES + (byte & 31), lacks = t->lacks;
    BOUND(place, 2 * MODES * CLASSES - 1);
    u64 action = m->actions[place], said, token;

    /* Most bytes: one more inside of a literal or a comment, or of a word. */
    u64 plain = if_none(byte >> 16) & if_none(lacks) & ~ends;
    if (plain & if_none(action / MODES)) {
        t->mode = action;
        t->said = SQL_TAKEN;
        return;
    }
    if (plain & if_none(action ^ (M_WORD | A_BARE | A_WORD))) {
        take_letter(t, text, byte >> 8 & 255);
        return;
    }

    action = EITHER(is_a_value(t, action), IS_A_VALUE, action);
    bit = (BIT(action, A_UNLESS_INSIDE) & ~if_none(t->parentheses));
    action = EITHER(bit, M_CODE | A_TOKEN(T_END), action);
    bit = (BIT(action, A_HALF) & ~if_none(lacks));
    action = EITHER(bit, M_CODE | A_SAYS(SQL_CUT), action);
    said = action >> 14 & 7;
    token = action >> 6 & 15;
    place = lacks * 8 + (byte >> 16);
    BOUND(place, 63);
    t->lacks = m->utf8[place];

    /* The mode. */
    mode = (action & 63) + BIT(action, A_STRING) * 3 * t->escapes;
    t->depth = EITHER(BIT(action, A_OPENS), 1, t->depth) + BIT(action, A_DEEPER) - BIT(action, A_CLOSES);
    u64 closed = BIT(action, A_CLOSES) & if_none(t->depth), found = BIT(action, A_COMPARE) & if_none(t->found ^ t->tag);
    mode = EITHER((closed | found), M_CODE, mode);
    t->mode = mode;
    t->tag = EITHER(BIT(action, A_TAG_BEGINS), FNV_START, t->tag);
    t->tag = EITHER(BIT(action, A_TAG), (t->tag ^ c) * FNV_TIMES, t->tag);
    t->found = EITHER(BIT(action, A_MAY_END), FNV_START, t->found);
    t->found = EITHER(BIT(action, A_FOUND), (t->found ^ c) * FNV_TIMES, t->found);

    /* What comes out. */
    slot = action >> 11 & 3;
    BOUND(slot, 3);
    t->at[SLOT_NOW] = t->at[slot];
    t->at[SLOT_NOW].blank |= BIT(action, A_BLANK) | closed;
    u64 lower = byte >> 8 & 255, puts = fold_token(t, m, text, token) | (BIT(action, A_BARE) & ~ends);
    lower = EITHER(BIT(action, A_RAW), c, lower);
    lower = EITHER(if_none(token ^ T_LITERAL), '?', lower);
    put_if(t, text, puts, lower);

    u64 begins = BIT(action, A_WORD_BEGINS);
    t->letters *= 1 - begins;
    t->word *= 1 - begins;
    note_letter(t, begins | BIT(action, A_WORD), lower);
    t->said = EITHER((ends & if_none(said)), SQL_ENDS, said);
}

/* Whether the text ended, or was left, where a statement cannot end. */
static __always_inline int is_broken_off(struct text *t)
{
    u64 mode = t->mode;
    return mode == M_NAME || mode >= M_OPENED ||
           (mode >= M_STRING && mode < M_LINE && (mode - M_STRING) % 3 != S_ENDED);
}

/* The text is over: what could fall away does, so that it is the same wherever in a list it was cut. */
static __always_inline void end_text(struct text *t)
{
    u64 last;
    if (t->mode == M_SLASH)
        t->at[SLOT_NOW] = t->at[SLOT_SLASH];
    if (t->mode == M_DASH || t->mode == M_DASHES || t->at[SLOT_NOW].sign)
        t->at[SLOT_NOW] = t->at[SLOT_SIGN];
    last = t->at[SLOT_NOW].last;
    if (last >= L_LIST_COMMA)
        t->at[SLOT_NOW] = t->at[SLOT_COMMA];
    last = t->at[SLOT_NOW].last;
    if (last >= L_NEXT_COMMA && last <= L_NEXT_LITERAL)
        t->at[SLOT_NOW] = t->at[SLOT_ROW];
    last = t->at[SLOT_NOW].last;
    if (last == L_END)
        t->at[SLOT_NOW] = t->at[SLOT_END];
}
