/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers read to the pixel data, by DCMTK: bench_header_dcmtk file|memory SECONDS FILE... prints
 * files a second.  "memory" has all files loaded before the clock starts, as bench_header.c does.
 */
#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dctk.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using Clock = std::chrono::steady_clock;

static bool
read_file(const char *path)
{
	DcmFileFormat file;

	return file.loadFileUntilTag(path, EXS_Unknown, EGL_noChange, DCM_MaxReadLength, ERM_autoDetect,
	               DCM_PixelData).good();
}

static bool
read_memory(const std::string &bytes)
{
	DcmFileFormat file;
	DcmInputBufferStream stream;

	stream.setBuffer(bytes.data(), static_cast<offile_off_t>(bytes.size()));
	stream.setEos();
	file.transferInit();
	OFCondition status = file.readUntilTag(stream, EXS_Unknown, EGL_noChange, DCM_MaxReadLength,
	    DCM_PixelData);
	file.transferEnd();
	return status.good();
}

static std::string
load(const char *path)
{
	std::ifstream in(path, std::ios::binary);

	return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

int
main(int argc, char **argv)
{
	if (argc < 4) {
		std::fprintf(stderr, "usage: %s file|memory SECONDS FILE...\n", argv[0]);
		return 2;
	}
	bool memory = std::strcmp(argv[1], "memory") == 0;
	double limit = std::strtod(argv[2], nullptr);
	std::vector<std::string> files;
	OFLog::configure(OFLogger::OFF_LOG_LEVEL);
	for (int i = 3; memory && i < argc; i++)
		files.push_back(load(argv[i]));
	(void)(memory ? read_memory(files[0]) : read_file(argv[3])); /* loads the dictionary */

	size_t count = 0;
	const Clock::time_point start = Clock::now();
	std::chrono::duration<double> spent{0};
	while (spent.count() < limit) {
		for (int i = 3; i < argc; i++) {
			if (!(memory ? read_memory(files[static_cast<size_t>(i - 3)]) : read_file(argv[i]))) {
				std::fprintf(stderr, "cannot read %s\n", argv[i]);
				return 1;
			}
		}
		count += static_cast<size_t>(argc - 3);
		spent = Clock::now() - start;
	}
	std::printf("%.0f\n", static_cast<double>(count) / spent.count());
	return 0;
}
