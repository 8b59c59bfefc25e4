# berth_lab_notice(target): takes web/lab/notice.js into the room's library as the text of lab_notice_script().
function(berth_lab_notice target)
    set(script ${CMAKE_SOURCE_DIR}/web/lab/notice.js)
    set(made ${CMAKE_BINARY_DIR}/lab_notice_script.cpp)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${script})
    file(READ ${script} text)
    file(CONFIGURE OUTPUT ${made} @ONLY CONTENT [[// Made by cmake/lab_notice.cmake.
#include <string_view>

namespace berth::spawn {

std::string_view lab_notice_script();
std::string_view lab_notice_script() {
    return R"berth-notice(@text@)berth-notice";
}

}  // namespace berth::spawn
]])
    target_sources(${target} PRIVATE ${made})
endfunction()
