/*
 * Writes results in the format that runners of Cilium's BPF unit tests read: protobuf in element 0 of suite_result_map.
 *
 * A test is one to three programs in sections <type>/test/<name>/pktgen, /setup and /check; the check begins with
 * test_begin() and returns test_end().
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifdef UNIT_TEST_OLD_CODES /* Cilium up to 1.18 */
enum { TEST_ERROR = 0, TEST_PASS = 1, TEST_FAIL = 2, TEST_SKIP = 3 };
#else
enum { TEST_ERROR = 100, TEST_PASS = 101, TEST_FAIL = 102, TEST_SKIP = 103 };
#endif

#define TEST_PROGRAM(type, name, stage) SEC(type "/test/" name "/" stage)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 8192);
	__uint(max_entries, 1);
} suite_result_map SEC(".maps");

/* Field number << 3 | wire type. */
enum {
	TAG_RESULT = 0x0a,
	TAG_SUITE_LOG = 0x12,
	TAG_NAME = 0x0a,
	TAG_STATUS = 0x10,
	TAG_TEST_LOG = 0x1a,
	TAG_FORMAT = 0x0a,
	TAG_ARGUMENT = 0x11,
};

struct results {
	/* Where the next byte goes. */
	__u8 *at;
	/* The sub-test being written: its length and its status; null outside of sub-tests. */
	__u8 *length;
	__u8 *status;
	/* What the check returns. */
	int verdict;
};

static __always_inline struct results test_begin(void)
{
	__u32 key = 0;
	struct results results = { .verdict = TEST_PASS };

	results.at = bpf_map_lookup_elem(&suite_result_map, &key);
	return results;
}

static __always_inline int test_end(struct results *results)
{
	return results->verdict;
}

static __always_inline void set_status(struct results *results, int status)
{
	if (results->status)
		*results->status = status;
	else
		results->verdict = status;
}

/* A varint of two bytes, whatever the value: so it can be filled in later. */
static __always_inline void put_length(__u8 *at, __u32 length)
{
	at[0] = (length & 0x7f) | 0x80;
	at[1] = length >> 7;
}

static __always_inline void begin_subtest(struct results *results, const char *name, __u32 size)
{
	*results->at++ = TAG_RESULT;
	results->length = results->at;
	results->at += 2;
	*results->at++ = TAG_NAME;
	*results->at++ = size;
	__builtin_memcpy(results->at, name, size);
	results->at += size;
	*results->at++ = TAG_STATUS;
	results->status = results->at;
	*results->at++ = TEST_PASS;
}

static __always_inline void end_subtest(struct results *results)
{
	put_length(results->length, results->at - results->length - 2);
	results->length = 0;
	results->status = 0;
}

#define SUBTEST_BEGIN(results, name) begin_subtest(results, name, sizeof(name))
#define SUBTEST_END(results) end_subtest(results)

static __always_inline void put_argument(struct results *results, __u64 argument)
{
	*results->at++ = TAG_ARGUMENT;
	__builtin_memcpy(results->at, &argument, sizeof(argument));
	results->at += sizeof(argument);
}

#ifdef UNIT_TEST_OLD_CODES
/* Lengths of one byte, which overflow for long lines. */
static __always_inline void begin_log(struct results *results, __u32 text, __u32 arguments)
{
	*results->at++ = results->status ? TAG_TEST_LOG : TAG_SUITE_LOG;
	*results->at++ = 2 + text + arguments * 9;
	*results->at++ = TAG_FORMAT;
	*results->at++ = text;
}
#else
static __always_inline void begin_log(struct results *results, __u32 text, __u32 arguments)
{
	*results->at++ = results->status ? TAG_TEST_LOG : TAG_SUITE_LOG;
	put_length(results->at, 3 + text + arguments * 9);
	results->at += 2;
	*results->at++ = TAG_FORMAT;
	put_length(results->at, text);
	results->at += 2;
}
#endif

#define STRING_OF(text) #text
#define STRING(text) STRING_OF(text)
#define HERE __FILE__ ":" STRING(__LINE__) ": "

/* A line with its place in front; arguments are integers. */
#define test_log(results, format, ...)                                                      \
	do {                                                                                \
		static const char log_text[] = HERE format;                                 \
		const __u64 log_arguments[] = { __VA_ARGS__ };                              \
		begin_log(results, sizeof(log_text), sizeof(log_arguments) / sizeof(__u64)); \
		__builtin_memcpy((results)->at, log_text, sizeof(log_text));                \
		(results)->at += sizeof(log_text);                                          \
		_Pragma("unroll") for (unsigned int log_i = 0;                              \
				       log_i < sizeof(log_arguments) / sizeof(__u64); log_i++) \
			put_argument(results, log_arguments[log_i]);                        \
	} while (0)

/* Fails the sub-test, or the test, unless the condition holds; goes on in either case. */
#define test_check(results, condition)                                 \
	do {                                                           \
		if (!(condition)) {                                    \
			test_log(results, "check failed: " #condition); \
			set_status(results, TEST_FAIL);                \
		}                                                      \
	} while (0)
