// How a file of the edge cache answers a request: in which coding, as new or as not modified, or not at all,
// and then the server is asked as ever. Pure.
#pragma once

#include "http/framing.hpp"
#include "proxy/edge_files.hpp"
#include "proxy/forward_head.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace berth::proxy {

struct EdgeAnswer {
    unsigned status = 200;    // or 304
    std::string_view coding;  // "br", "gzip", or "" for none
    std::string_view body;    // also for HEAD, whose answer says its length
};

// Nothing when only the server may answer: another method than GET and HEAD, a body, Range, Authorization, or
// no coding that both sides know.
std::optional<EdgeAnswer> edge_answer(const http::RequestHead& head, const EdgeFile& file);

// With the fields that a notebook server sends for such a file, and Vary for the coding.
void write_edge_head(
    std::string& out,
    const EdgeFile& file,
    const EdgeAnswer& answer,
    std::string_view query,
    KeepAlive keep_alive);

// Did a page ask ahead of need ("Sec-Purpose: prefetch")?
bool is_prefetch(const http::RequestHead& head);

}  // namespace berth::proxy
