// Pages of lists (hub-protocol §11.4): a bare list, or an object when the client accepts it.
#pragma once

#include "api/call.hpp"

#include <string>

namespace berth::api {

struct Page {
    std::size_t offset = 0;
    std::size_t limit = 200;
    bool as_object = false;  // Accept: application/jupyterhub-pagination+json
};
// Error: 400 for an offset or limit that is no integer.
Result<Page> requested_page(const http::Request& request);

// The value of `_pagination`.
std::string pagination_of(const http::Request& request, const Page& page, std::size_t total);
// `items`: the page's elements, comma separated. Closes the list, or the object with `_pagination`.
http::Response page_response(
    const http::Request& request, const Page& page, std::size_t total, std::string items);

}  // namespace berth::api
