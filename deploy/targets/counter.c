/* Counts what an emulated program executes between two marks: a plugin for QEMU's user emulation.
 *
 *   qemu-aarch64 -plugin counter.so,counts=FILE PROGRAM
 *
 * appends a line to FILE at each END mark: instructions executed since the BEGIN mark, int8
 * dot-product and matrix instructions among them, memory reads, memory writes. A read or write is
 * one access of at most 8 bytes, as QEMU makes them: a 16-byte vector counts twice.
 *
 * A mark is access("", mode) with a mode that no file system knows. The kernel refuses it at once
 * and touches nothing, Python's os.access() answers False without an exception, and no program
 * asks it by accident. deploy/agent.py holds the same two modes.
 *
 * QEMU's plugin API, version 1 (QEMU 7.2's documentation, "QEMU TCG Plugins"). Debian ships no
 * header for it, so what is used of it is declared here.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

typedef struct {
    const char *target_name;
    struct { int min, cur; } version;
    bool system_emulation;
    union { struct { int smp_vcpus, max_vcpus; } system; };
} qemu_info_t;

enum inline_operation { ADD_U64 = 0 };
enum registers { NO_REGISTERS = 0 };
enum access { READS_AND_WRITES = 3 };

typedef void (*plain_callback)(plugin_id);
typedef void (*translation_callback)(plugin_id, struct qemu_plugin_tb *);
typedef void (*memory_callback)(unsigned int vcpu, uint32_t info, uint64_t address, void *);
typedef void (*syscall_callback)(plugin_id, unsigned int vcpu, int64_t number, uint64_t a1,
                                 uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                                 uint64_t a7, uint64_t a8);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translation_callback);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, syscall_callback);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum inline_operation,
                                              void *counter, uint64_t amount);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, memory_callback, enum registers,
                                      enum access, void *);
bool qemu_plugin_mem_is_store(uint32_t info);
void qemu_plugin_reset(plugin_id, plain_callback);

EXPORT int qemu_plugin_version = 1;

enum { BEGIN_MARK = 0x50470001, END_MARK = 0x50470002 };

typedef struct { uint64_t instructions, dot_products, loads, stores; } counts;

static counts now, begun; /* since the program's start; at the last BEGIN mark */
static FILE *answer;
static bool is_a64, counting;

/* Arm Architecture Reference Manual, "Advanced SIMD": an instruction is one of these if its bits
 * under the mask are the value. Registers, lane and width are left open. */
static const struct { uint32_t mask, value; } int8_products[] = {
    {0x9fe0fc00, 0x0e809400}, /* SDOT, UDOT */
    {0x9fc0f400, 0x0f80e000}, /* SDOT, UDOT by element */
    {0xbfe0fc00, 0x0e809c00}, /* USDOT */
    {0xbf40f400, 0x0f00f000}, /* USDOT, SUDOT by element */
    {0xdfe0fc00, 0x4e80a400}, /* SMMLA, UMMLA */
    {0xffe0fc00, 0x4e80ac00}, /* USMMLA */
};

static bool is_int8_product(const struct qemu_plugin_insn *instruction)
{
    uint32_t code;

    if (!is_a64) /* no 32-bit core on offer has one */
        return false;
    memcpy(&code, qemu_plugin_insn_data(instruction), sizeof code);
    for (size_t i = 0; i < sizeof int8_products / sizeof *int8_products; i++)
        if ((code & int8_products[i].mask) == int8_products[i].value)
            return true;
    return false;
}

/* A call for each access, because QEMU 7.2 takes reads for writes when it is asked for additions in
 * its own code. */
static void on_access(unsigned int vcpu, uint32_t info, uint64_t address, void *nothing)
{
    (void)vcpu, (void)address, (void)nothing;
    if (qemu_plugin_mem_is_store(info))
        now.stores++;
    else
        now.loads++;
}

/* Called once for each block of code. The block then counts itself with additions in its own
 * translated code, which is far faster than a call for each instruction. */
static void on_block(plugin_id id, struct qemu_plugin_tb *block)
{
    size_t size = qemu_plugin_tb_n_insns(block);
    uint64_t products = 0;

    (void)id;
    for (size_t i = 0; i < size; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);

        products += is_int8_product(instruction);
        qemu_plugin_register_vcpu_mem_cb(instruction, on_access, NO_REGISTERS, READS_AND_WRITES,
                                         NULL);
    }
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &now.instructions, size);
    if (products)
        qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &now.dot_products, products);
}

static void count_blocks(plugin_id id);

/* The mode is access's second argument and faccessat's third. */
static void on_syscall(plugin_id id, unsigned int vcpu, int64_t number, uint64_t a1, uint64_t a2,
                       uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7,
                       uint64_t a8)
{
    (void)vcpu, (void)number, (void)a1, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (a2 == BEGIN_MARK || a3 == BEGIN_MARK) {
        if (!counting)
            qemu_plugin_reset(id, count_blocks);
        begun = now;
    } else if (a2 == END_MARK || a3 == END_MARK) {
        fprintf(answer, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                now.instructions - begun.instructions, now.dot_products - begun.dot_products,
                now.loads - begun.loads, now.stores - begun.stores);
        fflush(answer);
    }
}

/* From the first mark on: starting Python at full speed takes long enough. QEMU throws away what it
 * has translated, so that each block passes by on_block. */
static void count_blocks(plugin_id id)
{
    counting = true;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
}

EXPORT int qemu_plugin_install(plugin_id id, const qemu_info_t *info, int argc, char **argv)
{
    const char *option = "counts=";

    if (argc != 1 || strncmp(argv[0], option, strlen(option)) != 0) {
        fprintf(stderr, "counter: expected counts=FILE\n");
        return 1;
    }
    answer = fopen(argv[0] + strlen(option), "a");
    if (answer == NULL) {
        perror(argv[0]);
        return 1;
    }
    is_a64 = strcmp(info->target_name, "aarch64") == 0;
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    return 0;
}
