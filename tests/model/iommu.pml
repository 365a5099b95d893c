/* SPDX-License-Identifier: Apache-2.0 */
/* The IO table, which follows the owners, and the IOMMU, which does what its queue says in its own time. */

inline io_clear(pg)
{
#if defined(DMA) && !defined(BUG_IO_LEFT)
	d_step {
		stale_io = stale_io | (io_map & BIT(pg));
		io_map = io_map & ~BIT(pg)
	}
#else
	skip
#endif
}

/* Before the owner is HOST: whoever finds that may take the page, and clears the entry then. */
inline io_set(pg)
{
#ifdef DMA
	io_map = io_map | BIT(pg)
#else
	skip
#endif
}

inline io_request()
{
#if defined(DMA) && !defined(BUG_IO_NO_FLUSH)
	io_req = io_req | BIT(c)
#else
	skip
#endif
}

#ifdef DMA
/* First the IOTLB; then what was on its way has arrived, and those that asked are told. */
proctype Iommu()
{
end:
	do
	:: atomic {
		io_req && !io_taken ->
			printf("the IOMMU flushes its IOTLB for CPUs %d\n", io_req);
			io_taken = io_req;
			late_io = late_io | stale_io;
			stale_io = 0
#ifdef BUG_IO_NO_DRAIN
			;
			io_req = 0
#endif
		}
	:: atomic {
		io_taken ->
			printf("the IOMMU has drained for CPUs %d\n", io_taken);
			late_io = 0;
			io_req = io_req & ~io_taken;
			io_taken = 0
		}
	od
}
#endif
