/* Unit tests that do not pass, each for a reason of its own; only the last one does. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "unit-test.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} cilium_events SEC(".maps");

/* A packet comparison that failed: what was expected and what was there. */
struct packet_mismatch {
	char name[128];
	char file[128];
	char line[128];
	char first_layer[128];
	__u16 expected_length;
	__u8 expected[1518];
	__u16 got_length;
	__u8 got[1518];
	__u8 pad[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct packet_mismatch));
} scapy_assert_map SEC(".maps");

static __u32 mismatches;

TEST_PROGRAM("tc", "a_check", "setup")
int check_setup(struct __sk_buff *skb)
{
	__u32 event = 0xaabbccdd;

	bpf_skb_change_tail(skb, 64, 0);
	bpf_perf_event_output(skb, &cilium_events, BPF_F_CURRENT_CPU, &event, sizeof(event));
	return TC_ACT_SHOT;
}

TEST_PROGRAM("tc", "a_check", "check")
int check(struct __sk_buff *skb)
{
	struct results results = test_begin();

	if (!results.at)
		return TEST_ERROR;
	test_log(&results, "d %d u %u x %x ld %ld llx %llx 04x %04x %%", -1, 1ull << 32 | 7, 0xffffffffffull, -1, 0xffffffffffull, 0xab);
	test_check(&results, skb->mark == 1);
	return test_end(&results);
}

TEST_PROGRAM("tc", "b_subtest", "check")
int subtest(struct __sk_buff *skb)
{
	struct results results = test_begin();

	if (!results.at)
		return TEST_ERROR;
	SUBTEST_BEGIN(&results, "holds");
	SUBTEST_END(&results);
	SUBTEST_BEGIN(&results, "fails <&\">");
	test_check(&results,
		   skb->priority == 9);
	SUBTEST_END(&results);
	return test_end(&results);
}

static __always_inline void header(__u8 *packet, __u8 ttl, __u8 checksum)
{
	packet[12] = 0x08;
	packet[14] = 0x45;
	packet[17] = 20;
	packet[22] = ttl;
	packet[23] = 253;
	packet[24] = checksum;
	packet[25] = 0xeb;
	packet[26] = packet[30] = 10;
	packet[29] = 1;
	packet[33] = 2;
}

TEST_PROGRAM("tc", "c_packet", "check")
int packet(struct __sk_buff *skb)
{
	struct packet_mismatch *mismatch = bpf_map_lookup_elem(&scapy_assert_map, &mismatches);
	struct results results = test_begin();

	if (!results.at || !mismatch)
		return TEST_ERROR;
	__builtin_memcpy(mismatch->name, "forwarded", sizeof("forwarded"));
	__builtin_memcpy(mismatch->file, __FILE__, sizeof(__FILE__));
	__builtin_memcpy(mismatch->line, STRING(__LINE__), sizeof(STRING(__LINE__)));
	__builtin_memcpy(mismatch->first_layer, "Ether", sizeof("Ether"));
	mismatch->expected_length = 34;
	header(mismatch->expected, 63, 0x66);
	mismatch->got_length = 34;
	header(mismatch->got, 64, 0x65);
	mismatches++;
	test_log(&results, "packet 'forwarded' differs");
	set_status(&results, TEST_FAIL);
	return test_end(&results);
}

TEST_PROGRAM("tc", "d_setup", "setup")
int setup_fails(struct __sk_buff *skb)
{
	return TEST_FAIL;
}

TEST_PROGRAM("tc", "d_setup", "check")
int never_run(struct __sk_buff *skb)
{
	return TEST_PASS;
}

TEST_PROGRAM("tc", "e_error", "check")
int error(struct __sk_buff *skb)
{
	return TEST_ERROR;
}

TEST_PROGRAM("tc", "f_no_status", "check")
int no_status(struct __sk_buff *skb)
{
	return 55;
}

TEST_PROGRAM("tc", "g_skipped", "check")
int skipped(struct __sk_buff *skb)
{
	struct results results = test_begin();

	if (!results.at)
		return TEST_ERROR;
	test_log(&results, "not on this device");
	set_status(&results, TEST_SKIP);
	return test_end(&results);
}

/* What a verifier would refuse. */
TEST_PROGRAM("tc", "h_fault", "check")
int out_of_bounds(struct __sk_buff *skb)
{
	void *data_end = (void *)(long)skb->data_end;

	return *(volatile __u8 *)data_end ? TEST_PASS : TEST_FAIL;
}

TEST_PROGRAM("tc", "i_passes", "check")
int passes(struct __sk_buff *skb)
{
	return TEST_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
