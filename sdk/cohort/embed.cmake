# SPDX-License-Identifier: Apache-2.0
# cmake -DINPUT=eucaim.tsv -DOUTPUT=eucaim.c -DNAME=cohort_eucaim -P embed.cmake: a text as a C array.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REPEAT "." 80 line) # 16 bytes
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include <stddef.h>\n\nextern const unsigned char ${NAME}[];\n"
  "extern const size_t ${NAME}_length;\nconst unsigned char ${NAME}[] = {\n${bytes}\n};\n"
  "const size_t ${NAME}_length = sizeof ${NAME};\n")
