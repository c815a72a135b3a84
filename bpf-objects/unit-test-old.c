/* Unit tests with the status codes 0 to 3 and the one-byte lengths of Cilium up to 1.18. */
#define UNIT_TEST_OLD_CODES
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include "unit-test.h"

/* 2 is TC_ACT_SHOT here and no failure. */
TEST_PROGRAM("tc", "a_drop", "setup")
int drop_setup(struct __sk_buff *skb)
{
	/* With the status in front, the first packet would be longer than the context says. */
	return bpf_skb_change_tail(skb, 64, 0) ? TC_ACT_OK : TC_ACT_SHOT;
}

TEST_PROGRAM("tc", "a_drop", "check")
int drop_check(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct results results = test_begin();

	if (!results.at || data + 4 > end)
		return TEST_ERROR;
	SUBTEST_BEGIN(&results, "status");
	test_check(&results, *(__u32 *)data == TC_ACT_SHOT);
	SUBTEST_END(&results);
	SUBTEST_BEGIN(&results, "long log");
	test_log(&results, "a line whose length does not fit into the seven bits of a varint of one byte: %d and then some more words to get there %x", 1, 2);
	set_status(&results, TEST_SKIP);
	SUBTEST_END(&results);
	return test_end(&results);
}

TEST_PROGRAM("tc", "b_fail", "check")
int fail(struct __sk_buff *skb)
{
	return TEST_FAIL;
}

TEST_PROGRAM("tc", "c_error", "check")
int error(struct __sk_buff *skb)
{
	return TEST_ERROR;
}

TEST_PROGRAM("tc", "d_skip", "check")
int skip(struct __sk_buff *skb)
{
	return TEST_SKIP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
