# cmake -P: fills OUT/dist (WEB, BUNDLE, NODE, NPM say from what and how) and writes OUT/assets_table.cpp, which
# takes the files in by .incbin: bytes go past the compiler, so it costs nothing however large they are.
set(dist ${OUT}/dist)
file(REMOVE_RECURSE ${dist})
file(MAKE_DIRECTORY ${dist})

file(GLOB styles ${WEB}/styles/*.css)
list(SORT styles)
set(css "")
foreach(style ${styles})
    file(READ ${style} part)
    string(APPEND css "${part}\n")
endforeach()
file(WRITE ${dist}/berth.css "${css}")
file(GLOB statics ${WEB}/static/*)
file(COPY ${statics} DESTINATION ${dist})

if(BUNDLE)
    # npm works on a copy, so that the source tree stays as it was cloned.
    configure_file(${WEB}/package.json ${OUT}/package.json COPYONLY)
    configure_file(${WEB}/package-lock.json ${OUT}/package-lock.json COPYONLY)
    configure_file(${WEB}/.npmrc ${OUT}/.npmrc COPYONLY)
    configure_file(${WEB}/build.mjs ${OUT}/build.mjs COPYONLY)
    configure_file(${WEB}/shared_preact.mjs ${OUT}/shared_preact.mjs COPYONLY)
    file(SHA256 ${WEB}/package-lock.json wanted)
    set(installed "")
    if(EXISTS ${OUT}/installed)
        file(READ ${OUT}/installed installed)
    endif()
    if(NOT installed STREQUAL wanted)
        execute_process(COMMAND ${NPM} ci --no-audit --no-fund WORKING_DIRECTORY ${OUT} RESULT_VARIABLE status)
        if(NOT status EQUAL 0)
            message(FATAL_ERROR "npm ci failed. Check the network, or configure with -DBERTH_UI=OFF for plain pages.")
        endif()
        file(WRITE ${OUT}/installed ${wanted})
    endif()
    execute_process(COMMAND ${NODE} build.mjs ${WEB} ${dist} WORKING_DIRECTORY ${OUT} RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "The pages do not build; the messages above say where.")
    endif()
else()
    file(COPY ${WEB}/plain/app.js DESTINATION ${dist})
endif()

set(blobs "")
set(externs "")
set(rows "")
set(index 0)

# One file's bytes under the symbols berth_asset_{index}_{kind} and ..._end.
macro(embed file kind)
    string(APPEND blobs "__asm__(\".section .rodata\\n.global berth_asset_${index}_${kind}\\n"
        "berth_asset_${index}_${kind}:\\n.incbin \\\"${file}\\\"\\n.global berth_asset_${index}_${kind}_end\\n"
        "berth_asset_${index}_${kind}_end:\\n.byte 0\\n.previous\\n\");\n")
    string(APPEND externs "extern const unsigned char berth_asset_${index}_${kind}[], berth_asset_${index}_${kind}_end[];\n")
endmacro()

file(GLOB files RELATIVE ${dist} ${dist}/*)
list(SORT files)
foreach(name ${files})
    file(SHA256 ${dist}/${name} hash)
    string(SUBSTRING ${hash} 0 10 short)
    get_filename_component(stem ${name} NAME_WE)
    get_filename_component(extension ${name} LAST_EXT)
    if(extension STREQUAL ".js")
        set(type "text/javascript; charset=utf-8")
    elseif(extension STREQUAL ".css")
        set(type "text/css; charset=utf-8")
    elseif(extension STREQUAL ".svg")
        set(type "image/svg+xml")
    else()
        message(FATAL_ERROR "web/embed.cmake knows no content type for ${name}")
    endif()
    embed(${dist}/${name} bytes)
    set(gzip "{}")
    if(GZIP)
        file(MAKE_DIRECTORY ${OUT}/gzip)
        execute_process(COMMAND ${GZIP} -9 -n -c ${dist}/${name} OUTPUT_FILE ${OUT}/gzip/${name}.gz RESULT_VARIABLE status)
        if(status EQUAL 0)
            embed(${OUT}/gzip/${name}.gz gzip)
            set(gzip "{berth_asset_${index}_gzip, berth_asset_${index}_gzip_end}")
        endif()
    endif()
    string(APPEND rows "        {\"${name}\", \"${stem}-${short}${extension}\", \"${type}\",\n         \"${hash}\",\n"
        "         {berth_asset_${index}_bytes, berth_asset_${index}_bytes_end}, ${gzip}},\n")
    math(EXPR index "${index} + 1")
endforeach()

file(WRITE ${OUT}/assets_table.cpp "// Made by web/embed.cmake.
#include \"web/assets.hpp\"

${blobs}
extern \"C\" {
${externs}}

namespace berth::web {

std::span<const Asset> assets() {
    static const Asset kAssets[] = {
${rows}    };
    return kAssets;
}

}  // namespace berth::web
")
