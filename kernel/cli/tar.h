/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TAR_H
#define CLI_TAR_H

/* A member's header in a tar file (POSIX.1-2017, pax, "ustar Interchange Format"). */

#define TAR_BLOCK 512

struct tar_header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char checksum[8];
	char type; /* '0' file, '2' link, '5' folder, 'x' what the next one's fields cannot hold */
	char link[100];
	char magic[6], version[2];
	char owner[32], group[32];
	char major[8], minor[8];
	char prefix[155];
	char unused[12];
};

#endif
