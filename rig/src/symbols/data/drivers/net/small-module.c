/* A module with code in two sections, of which symbols/data/drivers/net/small-module.ko was built. */
extern void panic(int value);
volatile int count;

__attribute__((section(".init.text"), noinline)) int begin(void)
{
	count = 1;
	panic(1);
	count = 2;
	return 0;
}

__attribute__((noinline)) void transmit(void)
{
	count = 3;
	panic(3);
	count = 4;
}
