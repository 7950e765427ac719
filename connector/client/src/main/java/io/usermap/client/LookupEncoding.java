package io.usermap.client;

/** How the ids of a look-up travel; which of them the service reads is not documented beyond the first. */
public enum LookupEncoding {
    /** Repeated keys in a form body on a GET, as the documentation's sample sends them. */
    FORM,
    /** A JSON body on a GET, as one client that was tried against the service sends it. */
    JSON,
    /** Repeated keys in the query string. */
    QUERY
}
