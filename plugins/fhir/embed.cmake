# SPDX-License-Identifier: Apache-2.0
# cmake -DINPUT=fhir.lua -DOUTPUT=mapping_default.c -P embed.cmake: a text file as a C array.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REPEAT "." 80 line) # 16 bytes
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"mapping.h\"\n\n_Static_assert(sizeof(char) == 1, \"\");\n"
  "const char mapping_default[] = {\n${bytes}\n};\n"
  "const size_t mapping_default_length = sizeof mapping_default;\n")
