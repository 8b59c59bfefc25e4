# berth_pages(target): builds the pages of web/ and embeds them into the room's library as the table of
# src/web/assets.hpp. Without BERTH_UI, Node or npm, the styles and one plain script are embedded instead.
function(berth_pages target)
    set(web ${CMAKE_SOURCE_DIR}/web)
    set(out ${CMAKE_BINARY_DIR}/web)
    find_program(BERTH_NODE NAMES node nodejs)
    find_program(BERTH_NPM npm)
    find_program(BERTH_GZIP gzip)
    set(bundle OFF)
    if(BERTH_UI AND BERTH_NODE AND BERTH_NPM)
        set(bundle ON)
    elseif(BERTH_UI)
        message(STATUS "Node and npm were not found: the pages are the plain ones. Install both for all of them.")
    endif()
    file(GLOB_RECURSE inputs CONFIGURE_DEPENDS
        ${web}/src/*.ts ${web}/src/*.tsx ${web}/styles/*.css ${web}/static/* ${web}/plain/*)
    add_custom_command(
        OUTPUT ${out}/assets_table.cpp
        COMMAND ${CMAKE_COMMAND} -DWEB=${web} -DOUT=${out} -DBUNDLE=${bundle} -DNODE=${BERTH_NODE} -DNPM=${BERTH_NPM}
            -DGZIP=${BERTH_GZIP} -P ${web}/embed.cmake
        DEPENDS ${inputs} ${web}/embed.cmake ${web}/build.mjs ${web}/shared_preact.mjs ${web}/package.json ${web}/package-lock.json
            ${web}/.npmrc
        COMMENT "Building the pages"
        VERBATIM)
    target_sources(${target} PRIVATE ${out}/assets_table.cpp)
    # The compiler does not see what .incbin reads; the table holds every file's hash, so it changes with them.
    set_source_files_properties(${out}/assets_table.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON)

    # For web/dev/server.mjs: the pages without a hub.
    add_executable(web_render EXCLUDE_FROM_ALL ${web}/dev/render.cpp)
    target_link_libraries(web_render PRIVATE ${target})
endfunction()
