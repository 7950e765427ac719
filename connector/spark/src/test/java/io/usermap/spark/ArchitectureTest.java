package io.usermap.spark;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/** What the connector may depend on, and what it shows. */
class ArchitectureTest {
    private static final String PUBLIC_NAMES =
            "io\\.usermap\\.spark\\.(UserMap(Source|Catalog|Options|Lookup|Run|Metrics)|RawFiles)";

    private final JavaClasses main = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("io.usermap.spark");

    @Test
    void onlyTheTypesThatUsersNameArePublicAndWhatTheJobShares() {
        classes()
                .that()
                .areTopLevelClasses()
                .and()
                .arePublic()
                .should()
                .haveNameMatching(PUBLIC_NAMES)
                .check(main);
    }

    @Test
    void noScalaCollectionIsUsedBecauseTheyDifferBetweenScalaVersions() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAPackage("scala.collection..")
                .check(main);
    }

    @Test
    void namesSayWhatAThingIs() {
        noClasses()
                .should()
                .haveNameMatching(".*(Util|Utils|Helper|Manager|Impl|Constants)")
                .check(main);
    }

    @Test
    void nothingStaticIsReplaced() {
        fields().that().areStatic().should().beFinal().check(main);
    }

    @Test
    void noThreadSleeps() {
        noClasses().should().callMethod(Thread.class, "sleep", long.class).check(main);
    }
}
