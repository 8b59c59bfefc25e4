# Compiler settings that every room shares, and ccache when it is there.
set(BERTH_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= spells them")

# -O3 makes this code larger and slower to build, not faster.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

find_program(CCACHE ccache)
if(CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
    set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(berth_options INTERFACE)
target_include_directories(berth_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(berth_options INTERFACE
    BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_DISABLE_BOOST_COROUTINE
    BERTH_VERSION="${PROJECT_VERSION}")
target_compile_options(berth_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast>)
# A precompiled header and ccache agree only when time stamps inside it are ignored.
target_compile_options(berth_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # False alarms of g++ 12 inside Boost and libstdc++ when coroutines and strings are inlined (GCC 105329, 105651).
    target_compile_options(berth_options INTERFACE
        $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-mismatched-new-delete>)
endif()
if(BERTH_WERROR)
    target_compile_options(berth_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(BERTH_SANITIZE)
    target_compile_options(berth_options INTERFACE -fsanitize=${BERTH_SANITIZE} -fno-omit-frame-pointer -g1 -O0)
    target_link_options(berth_options INTERFACE -fsanitize=${BERTH_SANITIZE})
endif()
