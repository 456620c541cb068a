# SPDX-License-Identifier: Apache-2.0
# cmake -DINPUT=prelude.lua -DOUTPUT=prelude.c -P embed.cmake: a text file as a C array.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REPEAT "." 80 line) # 16 bytes
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"guard/prelude.h\"\n\nconst unsigned char prelude_text[] = {\n"
  "${bytes}\n};\nconst size_t prelude_length = sizeof prelude_text;\n")
