#include "api/server_body.hpp"

#include "api/body.hpp"
#include "api/error_response.hpp"

namespace berth::api {

Result<ServerBody> server_body(const http::Request& request) {
    BERTH_TRY(const auto document, json_body(request));
    ServerBody body;
    if (!document || document->is_null()) return body;
    const auto* object = document->if_object();
    if (object == nullptr) return bad_request("user_options must be a JSON object");
    if (object->empty()) return body;
    if (!object->contains("user_options") && !object->contains("display_name")) {
        body.user_options = *document;
        return body;
    }
    if (const auto* options = object->if_contains("user_options");
        options != nullptr && !options->is_null()) {
        if (!options->is_object()) return bad_request("user_options must be a JSON object");
        body.user_options = *options;
    }
    BERTH_TRY(body.display_name, text_member(*object, "display_name"));
    return body;
}

}  // namespace berth::api
