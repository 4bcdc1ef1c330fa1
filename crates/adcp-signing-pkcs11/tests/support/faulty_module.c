/* A PKCS#11 module that passes every call on to a real one, and fails as the file CONTROL says. For tests.
 *
 * The file holds one line: `return N` (every guarded function answers the CK_RV N), `sign N` (C_Sign does), `once N`
 * (the next C_SignInit does, and the file is removed), `mechanism N` (C_GetMechanismInfo does),
 * `start N` (C_Initialize does), `hang` (guarded functions wait until the file changes),
 * `garbage` and `truncate` (answers of the wrong content and length), `twice` (C_GenerateKeyPair makes a second pair of
 * the same names), `loose` (it makes a private key that can leave the token). Each guarded call that meets a fault adds a byte
 * to the file CONTROL.count. REAL and CONTROL are defined by whoever compiles this. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long CK;
typedef struct { CK type; void *value; CK len; } CK_ATTRIBUTE;
typedef struct { unsigned char version[2]; void *f[68]; } CK_FUNCTION_LIST;

enum { INITIALIZE = 0, GET_TOKEN_INFO = 6, GET_MECHANISM_INFO = 8, OPEN_SESSION = 12, GET_ATTRIBUTE_VALUE = 24, FIND_OBJECTS_INIT = 26, SIGN_INIT = 42, SIGN = 43, GENERATE_KEY_PAIR = 59 };
enum { EXTRACTABLE = 0x162, MODULUS = 0x120, EC_POINT = 0x181 };

static CK_FUNCTION_LIST list, *real;
typedef struct { char word[16]; CK code; } Fault;

static int is(const Fault *fault, const char *word) { return strcmp(fault->word, word) == 0; }

static Fault look(void) {
    Fault fault = { "", 0 };
    FILE *file = fopen(CONTROL, "r");
    if (file) {
        if (fscanf(file, "%15s %lu", fault.word, &fault.code) < 1) fault.word[0] = 0;
        fclose(file);
    }
    return fault;
}

static Fault guard(int function) {
    Fault fault = look();
    if (is(&fault, "start") != (function == INITIALIZE)) fault.word[0] = 0;
    if (!fault.word[0]) return fault;
    FILE *count = fopen(CONTROL ".count", "a");
    if (count) { fputc('.', count); fclose(count); }
    if (is(&fault, "hang")) {
        do { usleep(2000); fault = look(); } while (is(&fault, "hang"));
        fault.word[0] = 0;
    }
    if (is(&fault, "once")) {
        if (function == SIGN_INIT) { unlink(CONTROL); strcpy(fault.word, "return"); } else fault.word[0] = 0;
    }
    if (is(&fault, "mechanism")) strcpy(fault.word, function == GET_MECHANISM_INFO ? "return" : "");
    if (is(&fault, "start")) strcpy(fault.word, "return");
    if (is(&fault, "sign")) strcpy(fault.word, function == SIGN ? "return" : "");
    return fault;
}

#define REFUSE(function) Fault fault = guard(function); if (is(&fault, "return")) return fault.code
#define CALL(function, ...) ((CK (*)())real->f[function])(__VA_ARGS__)

static CK initialize(void *args) { REFUSE(INITIALIZE); return CALL(INITIALIZE, args); }

static CK get_token_info(CK slot, void *info) { REFUSE(GET_TOKEN_INFO); return CALL(GET_TOKEN_INFO, slot, info); }

static CK get_mechanism_info(CK slot, CK type, void *info) {
    REFUSE(GET_MECHANISM_INFO);
    return CALL(GET_MECHANISM_INFO, slot, type, info);
}

static CK open_session(CK slot, CK flags, void *app, void *notify, CK *session) {
    REFUSE(OPEN_SESSION);
    return CALL(OPEN_SESSION, slot, flags, app, notify, session);
}

static CK get_attribute_value(CK session, CK object, CK_ATTRIBUTE *attributes, CK count) {
    REFUSE(GET_ATTRIBUTE_VALUE);
    CK rv = CALL(GET_ATTRIBUTE_VALUE, session, object, attributes, count);
    for (CK i = 0; i < count; i++) {
        unsigned char *value = attributes[i].value;
        CK len = attributes[i].len;
        if (!value || len == 0 || len == (CK)-1) continue;
        if (is(&fault, "garbage") && attributes[i].type == EC_POINT) memset(value, 0xee, len);
        if (is(&fault, "garbage") && attributes[i].type == MODULUS) value[len - 1] &= 0xfe;
        if (is(&fault, "truncate") && len == 1) attributes[i].len = 0;
    }
    return rv;
}

static CK find_objects_init(CK session, void *template, CK count) {
    REFUSE(FIND_OBJECTS_INIT);
    return CALL(FIND_OBJECTS_INIT, session, template, count);
}

static CK sign_init(CK session, void *mechanism, CK key) {
    REFUSE(SIGN_INIT);
    return CALL(SIGN_INIT, session, mechanism, key);
}

static CK sign(CK session, void *data, CK len, unsigned char *signature, CK *signature_len) {
    REFUSE(SIGN);
    CK rv = CALL(SIGN, session, data, len, signature, signature_len);
    if (rv == 0 && signature && is(&fault, "garbage")) { *signature_len = 3; memset(signature, 0x30, 3); }
    if (rv == 0 && signature && is(&fault, "truncate")) *signature_len -= 1;
    return rv;
}

static CK generate_key_pair(CK session, void *mechanism, CK_ATTRIBUTE *public, CK public_count, CK_ATTRIBUTE *private,
                            CK private_count, CK *public_key, CK *private_key) {
    static unsigned char yes = 1;
    CK_ATTRIBUTE changed[16];
    REFUSE(GENERATE_KEY_PAIR);
    if (private_count > 16) return 7; /* CKR_ARGUMENTS_BAD */
    memcpy(changed, private, private_count * sizeof changed[0]);
    for (CK i = 0; i < private_count && is(&fault, "loose"); i++)
        if (changed[i].type == EXTRACTABLE) changed[i].value = &yes;
    CK rv = CALL(GENERATE_KEY_PAIR, session, mechanism, public, public_count, changed, private_count, public_key, private_key);
    if (rv || !is(&fault, "twice")) return rv;
    CK other_public, other_private;
    return CALL(GENERATE_KEY_PAIR, session, mechanism, public, public_count, changed, private_count, &other_public,
                &other_private);
}

CK C_GetFunctionList(CK_FUNCTION_LIST **out) {
    if (!real) {
        void *library = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
        CK (*get)(CK_FUNCTION_LIST **) = library ? (CK (*)(CK_FUNCTION_LIST **))dlsym(library, "C_GetFunctionList") : 0;
        CK rv = get ? get(&real) : 5; /* CKR_GENERAL_ERROR */
        if (rv) return rv;
        list = *real;
        list.f[INITIALIZE] = initialize;
        list.f[GET_TOKEN_INFO] = get_token_info;
        list.f[GET_MECHANISM_INFO] = get_mechanism_info;
        list.f[OPEN_SESSION] = open_session;
        list.f[GET_ATTRIBUTE_VALUE] = get_attribute_value;
        list.f[FIND_OBJECTS_INIT] = find_objects_init;
        list.f[SIGN_INIT] = sign_init;
        list.f[SIGN] = sign;
        list.f[GENERATE_KEY_PAIR] = generate_key_pair;
    }
    *out = &list;
    return 0;
}
